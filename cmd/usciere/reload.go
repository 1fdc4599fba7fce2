package main

import (
	"slices"
	"time"

	"usciere/cmd/usciere/settings"
)

// reload reads the settings again and takes over what a running daemon can; what is wrong leaves everything as it was.
func (d *daemon) reload() {
	old := d.inForce.Load()
	next, err := d.options.settings()
	if err != nil {
		d.log.Error("the new settings were refused, the old ones stay", "error", err)
		return
	}
	live, _ := settings.Changed(old.settings, next)
	_, restart := settings.Changed(d.opened, next)
	sources, err := securitySources(next.Security)
	if err != nil {
		d.log.Error("the new settings were refused, the old ones stay", "error", err)
		return
	}
	mailServer, err := mailServerOf(next)
	if err != nil {
		d.log.Error("the new settings were refused, the old ones stay", "error", err)
		return
	}
	setup, fresh, err := d.build(next)
	if err != nil {
		d.log.Error("the new settings were refused, the old ones stay", "error", err)
		return
	}
	if slices.Contains(live, "town.site") || slices.Contains(live, "town.timezone") {
		if err := d.rules.Reload(townOf(next)); err != nil {
			fresh.close()
			d.log.Error("the new settings were refused, the old ones stay", "error", err)
			return
		}
	}
	setLevel(d.level, next.Log.Level)
	d.resolver.Use(setup)
	d.pages.use(next, setup.Portal)
	d.lists.Use(sources)
	if d.certificate != nil {
		d.certificate.Refresh()
	}
	d.inForce.Store(&inForce{next, fresh})
	d.tracing.reloaded()
	d.desk.post.Use(mailServer)
	time.AfterFunc(old.settings.Upstream.Timeout+time.Second, old.groups.close) // nothing asks them any more by then
	d.log.Info("settings read again", "changed", live)
	d.warn()
	if len(restart) > 0 {
		d.log.Warn("these settings take a restart", "changed", restart)
	}
}
