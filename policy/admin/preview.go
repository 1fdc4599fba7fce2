package admin

import (
	"context"

	"usciere/policy"
)

// Preview is what grants would open that are not made. Their numbers, and that of a new request, are what they would be now.
type Preview struct {
	policy.GrantsAdded
	Opens []policy.Opened `json:"opens"` // of each grant
}

// previewGrants tries a change, so that it is refused for what the change itself would be.
func previewGrants(c *call) (any, error) {
	wanted, err := body[policy.AddGrants](c.w, c.r)
	if err != nil {
		return nil, err
	}
	made, err := c.cfg.Rules.ApplyBatch(c.who, policy.Batch{Changes: []policy.Change{wanted}, Try: true})
	if err != nil {
		return nil, err
	}
	out := Preview{GrantsAdded: made[0].(policy.GrantsAdded)}
	for _, g := range out.Grants {
		out.Opens = append(out.Opens, c.rules.Opened(g))
	}
	return out, nil
}

// PreviewGrants says what AddGrants would open, and changes nothing.
func (c *Client) PreviewGrants(ctx context.Context, change policy.AddGrants) (*Preview, error) {
	return post[*Preview](ctx, c, "/v1/grant/preview", change)
}
