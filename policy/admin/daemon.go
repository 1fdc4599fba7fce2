package admin

import (
	"fmt"
	"io"

	"usciere/policy"
)

func status(c *call) (any, error) {
	if _, err := params(c.r); err != nil {
		return nil, err
	}
	letters, err := CountLetters(c.cfg.Rules, c.now)
	if err != nil {
		return nil, err
	}
	return Status{
		Version: c.cfg.Version, Started: c.cfg.Started, Uptime: int64(c.now.Sub(c.cfg.Started).Seconds()),
		Daemon: c.cfg.Daemon(), Rules: c.rules.Counts(), Journal: c.cfg.Store.Head(), Counters: c.cfg.Resolver.Counters(), Waits: c.cfg.Resolver.Waits(),
		Letters: letters,
		You:     You{c.who.Name, c.who.UID, c.mine.String()},
	}, nil
}

func countOffices(c *call) (any, error) {
	if _, err := params(c.r); err != nil {
		return nil, err
	}
	return OfficeCounts{c.cfg.Resolver.OfficeCounts()}, nil
}

func cacheStats(c *call) (any, error) {
	if _, err := params(c.r); err != nil {
		return nil, err
	}
	return c.cfg.Resolver.CacheStats(), nil
}

// parseName reads a name as a question asks for it.
func parseName(text string) (policy.Name, error) {
	name, err := policy.ParseName(text)
	if err != nil {
		return "", invalid("give a name such as www.inps.it", fmt.Sprintf("not a valid name: %v", err))
	}
	return name, nil
}

func showCache(c *call) (any, error) {
	q, err := params(c.r, "name")
	if err != nil {
		return nil, err
	}
	name, err := parseName(q.Get("name"))
	if err != nil {
		return nil, err
	}
	return CachePage{name, append([]CacheEntry{}, c.cfg.Resolver.CacheShow(name)...)}, nil
}

// flushCache is logged, not journalled: no rule changes.
func flushCache(c *call) (any, error) {
	asked, err := body[FlushRequest](c.w, c.r)
	if err != nil {
		return nil, err
	}
	if asked.All == (asked.Name != "") {
		return nil, invalid("give a name, or --all", "what is to be forgotten?")
	}
	var name policy.Name
	if asked.Name != "" {
		if name, err = parseName(asked.Name); err != nil {
			return nil, err
		}
	}
	out := Flushed{c.cfg.Resolver.CacheFlush(name)}
	c.cfg.Log.Info("cache flushed", "name", asked.Name, "answers", out.Answers, "user", c.who.Name, "uid", c.who.UID)
	return out, nil
}

func listUpstreams(c *call) (any, error) {
	if _, err := params(c.r); err != nil {
		return nil, err
	}
	return UpstreamList{append([]Upstream{}, c.cfg.Resolver.Upstreams()...)}, nil
}

func listSecurity(c *call) (any, error) {
	if _, err := params(c.r); err != nil {
		return nil, err
	}
	return SecurityLists{append([]SecurityList{}, c.cfg.Resolver.SecurityLists()...)}, nil
}

// backup needs the permit to change, since a copy holds all there is; it is logged.
func backup(c *call) (any, error) {
	if _, err := params(c.r); err != nil {
		return nil, err
	}
	c.cfg.Log.Info("backup", "user", c.who.Name, "uid", c.who.UID, "head", c.cfg.Store.Head())
	return stream{"application/octet-stream", func(w io.Writer) error {
		_, err := c.cfg.Store.Backup(w)
		return err
	}}, nil
}
