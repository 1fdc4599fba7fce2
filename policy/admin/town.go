package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"usciere/policy"
	"usciere/policy/town"
)

const (
	// MaxDocument is the largest content of TownChange, in octets of JSON.
	MaxDocument     = 64 << 20
	documentTimeout = 2 * time.Minute // for it to come
)

// TownDocument is the whole policy in force.
type TownDocument struct {
	Version  uint64         `json:"version"` // of the rules
	Document *town.Document `json:"document"`
}

// TownChange asks for the rules to become what a document says.
type TownChange struct {
	BaseVersion  uint64         `json:"base_version,omitempty"` // refused if the rules have moved on from it; 0: no check
	DryRun       bool           `json:"dry_run,omitempty"`      // only say what would be
	KeepUnlisted bool           `json:"keep_unlisted,omitempty"`
	File         string         `json:"file,omitempty"` // its name, for the reasons of what is revoked
	Document     *town.Document `json:"document"`
}

// TownChanged is how the rules differed from a document, and differ no more unless it was a dry run.
type TownChanged struct {
	Version     uint64            `json:"version"` // of the rules that were compared, with a dry run; else of the new ones
	Applied     bool              `json:"applied"`
	Differences []town.Difference `json:"differences"`
	Warnings    []policy.Problem  `json:"warnings,omitempty"`
}

func showTown(c *call) (any, error) {
	if _, err := params(c.r); err != nil {
		return nil, err
	}
	out := TownDocument{Version: c.rules.Version()}
	err := c.cfg.Rules.View(func(r policy.Records) (err error) {
		if r.Version() != out.Version {
			return &policy.Error{Code: policy.Conflict, Message: "the rules were changed meanwhile", Hint: "repeat the command"}
		}
		out.Document, err = town.Of(c.rules, r, c.now)
		return err
	})
	if err == nil {
		out.Document.Town = c.cfg.Daemon().Town
	}
	return out, err
}

func applyTown(c *call) (any, error) {
	if err := http.NewResponseController(c.w).SetReadDeadline(time.Now().Add(documentTimeout)); err != nil {
		return nil, fmt.Errorf("wait for the document: %w", err)
	}
	asked, err := bodyUpTo[TownChange](c.w, c.r, MaxDocument)
	if err != nil {
		return nil, err
	}
	if asked.Document == nil {
		return nil, invalid("send it as document", "there is no document")
	}
	if asked.File == "" {
		asked.File = "the document"
	}
	c.rules = c.cfg.Rules.Snapshot() // those of now: the content may have been long in coming
	var plan *town.Plan
	err = c.cfg.Rules.View(func(r policy.Records) (err error) {
		plan, err = town.Diff(c.rules, r, asked.Document, town.Options{
			Town: c.cfg.Daemon().Town, File: asked.File, Now: c.now, KeepUnlisted: asked.KeepUnlisted,
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	if c.mine < decide && !asked.DryRun && slices.ContainsFunc(plan.Changes, func(c policy.Change) bool { return c.Kind() == policy.AddGrants{}.Kind() }) {
		return nil, c.refusal(c.peer, decide)
	}
	for i, wanted := range plan.Changes {
		if service, ok := wanted.(policy.AddService); ok && !asked.DryRun {
			plan.Changes[i] = c.narrow(service)
		}
	}
	base := plan.Version
	if asked.BaseVersion != 0 {
		base = asked.BaseVersion
	}
	out := TownChanged{Version: plan.Version, Differences: append([]town.Difference{}, plan.Differences...), Warnings: plan.Warnings}
	if _, err := c.cfg.Rules.ApplyBatch(c.who, policy.Batch{Changes: plan.Changes, Base: base, Try: asked.DryRun || len(plan.Changes) == 0}); err != nil {
		return nil, plan.Place(err)
	}
	if !asked.DryRun {
		out.Applied, out.Version = true, plan.Version+uint64(len(plan.Changes))
	}
	return out, nil
}

// Town is the whole policy in force.
func (c *Client) Town(ctx context.Context) (*TownDocument, error) {
	return get[*TownDocument](ctx, c, "/v1/town", nil)
}

// ApplyTown makes the rules what a document says. Progress, if there is any, is told how many octets of how many were sent.
func (c *Client) ApplyTown(ctx context.Context, change TownChange, progress func(sent, of int64)) (*TownChanged, error) {
	text, err := json.Marshal(change)
	if err != nil {
		return nil, fmt.Errorf("write the document: %w", err)
	}
	if len(text) > MaxDocument {
		return nil, invalid("apply it in parts with --keep-unlisted", fmt.Sprintf("the document has %d octets: %d are the most", len(text), MaxDocument))
	}
	var content io.Reader = bytes.NewReader(text)
	if progress != nil {
		content = &watched{Reader: content, of: int64(len(text)), progress: progress}
	}
	r, err := c.send(ctx, http.MethodPost, "/v1/town/apply", nil, content)
	if err != nil {
		return nil, err
	}
	out := new(TownChanged)
	return out, c.read(r, out)
}

// watched tells how much of a content was read.
type watched struct {
	io.Reader
	sent, of int64
	progress func(sent, of int64)
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	w.sent += int64(n)
	w.progress(w.sent, w.of)
	return n, err
}
