package resolver

import (
	"path/filepath"

	"usciere/policy"
)

// blockedText is what a client that understands Extended DNS Errors is told of a sinkholed name, in pieces: which office, why, and
// how to ask; asleep says that a grant covers the name at other times or for other types. Office staff may read it, so it is in Italian.
func blockedText(c *policy.Client, way *Route, asleep bool, contact string) (text [6]string) {
	if contact != "" {
		text[3], text[4], text[5] = " (", contact, ")"
	}
	switch {
	case way.Listed.List != nil:
		text[0], text[1] = "nome nell'elenco di sicurezza ", filepath.Base(way.Listed.Name)
		text[2] = ": se serve, chiamare i servizi informatici"
	case way.Inward:
		text[0], text[3], text[4], text[5] = "nome di rete locale: non esce dal Comune", "", "", ""
	case way.Verdict.Reason == policy.NoOffice:
		text[0] = "postazione non assegnata a un ufficio: chiamare i servizi informatici"
	case asleep:
		text[0], text[1] = c.Office.Name, ": nome concesso in altri giorni od orari, o per altri tipi di record"
	default:
		text[0] = c.Office.Name
		text[1] = ": nome non richiesto dall'ufficio (art. 7); il responsabile lo chieda per iscritto ai servizi informatici"
	}
	return text
}
