package resolver

import (
	"path/filepath"

	"usciere/policy"
)

// blockedText is what a client that understands Extended DNS Errors is told of a sinkholed name: which office, why, and
// how to ask; asleep says that a grant covers the name at other times or for other types. Office staff may read it, so it is in Italian.
func blockedText(c *policy.Client, way *Route, asleep bool, contact string) string {
	var before, after string
	if contact != "" {
		before, after = " (", ")"
	}
	switch {
	case way.Listed.List != nil:
		return "nome nell'elenco di sicurezza " + filepath.Base(way.Listed.Name) + ": se serve, chiamare i servizi informatici" + before + contact + after
	case way.Verdict.Reason == policy.NoOffice:
		return "postazione non assegnata a un ufficio: chiamare i servizi informatici" + before + contact + after
	}
	if asleep {
		return c.Office.Name + ": nome concesso in altri giorni od orari, o per altri tipi di record" + before + contact + after
	}
	return c.Office.Name + ": nome non richiesto dall'ufficio (art. 7); il responsabile lo chieda per iscritto ai servizi informatici" +
		before + contact + after
}
