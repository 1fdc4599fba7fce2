package settings

import "testing"

func TestTheMailServerHasThePortOfItsSecurityUnlessGiven(t *testing.T) {
	for _, test := range []struct {
		server, tls string
		host        string
		port        uint16
		refused     bool
	}{
		{"posta.example.it", "starttls", "posta.example.it", 587, false},
		{"posta.example.it", "tls", "posta.example.it", 465, false},
		{"127.0.0.1", "none", "127.0.0.1", 25, false},
		{"posta.example.it:25", "starttls", "posta.example.it", 25, false},
		{"[2001:db8::25]:2525", "starttls", "2001:db8::25", 2525, false},
		{"2001:db8::25", "starttls", "2001:db8::25", 587, false},
		{"localhost", "none", "localhost", 25, false},
		{"", "starttls", "", 0, false},
		{"a..it", "starttls", "", 0, true},
		{":25", "starttls", "", 0, true},
		{"::", "starttls", "::", 587, false},
		{"a.it:smtp", "starttls", "", 0, true},
	} {
		host, port, err := Mail{Server: test.server, TLS: test.tls}.Address()
		if (err != nil) != test.refused || !test.refused && (host != test.host || port != test.port) {
			t.Errorf("%q with %s: %q, %d, %v", test.server, test.tls, host, port, err)
		}
	}
}
