package settings

import (
	"strings"
	"testing"
)

func TestTheEncryptedServiceIsChecked(t *testing.T) {
	for _, test := range []struct{ name, tls, want string }{
		{"all of it", `{certificate: c, key: k, listen: ["127.0.0.1:853"], https: ["127.0.0.1:443"], quic: ["127.0.0.1:853"]}`, ""},
		{"none of it", `{}`, ""},
		{"addresses without a certificate", `{listen: [":853"]}`, "tls: expected certificate and key, with which to encrypt"},
		{"a certificate without its key", `{certificate: c, quic: [":853"]}`, "tls: expected certificate and key"},
		{"a certificate for nothing", `{certificate: c, key: k}`, "tls: expected where to serve with the certificate: listen, https or quic"},
		{"an address that is none", `{certificate: c, key: k, https: [dns.example.it]}`, "tls.https[0]: "},
		{"an address given twice", `{certificate: c, key: k, quic: [":853", ":853"]}`, "tls.quic[1]: :853 is given twice, first as tls.quic[0]"},
		{"TLS where plain DNS is", `{certificate: c, key: k, listen: ["10.20.0.53:53"]}`, "tls.listen[0]: 10.20.0.53:53 is in listen already"},
		{"QUIC where plain DNS is", `{certificate: c, key: k, quic: ["10.20.0.53:53"]}`, "tls.quic[0]: 10.20.0.53:53 is in listen already"},
		{"HTTPS where TLS is", `{certificate: c, key: k, listen: [":853"], https: [":853"]}`, "tls.https[0]: :853 is in tls.listen already"},
		{"HTTPS where the page is", `{certificate: c, key: k, https: ["10.20.0.53:443"]}`, "tls.https[0]: 10.20.0.53:443 is in portal.https already"},
		{"free ports for both", `{certificate: c, key: k, listen: ["127.0.0.1:0"], https: ["127.0.0.1:0"]}`, ""},
		{"a name that is none", `{certificate: c, key: k, listen: [":853"], name: "a b"}`, "tls.name: "},
		{"a home folder", `{certificate: ~/c, key: k, listen: [":853"]}`, "tls.certificate: ~ is not expanded here"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse([]byte("listen: [\"10.20.0.53:53\"]\nportal: {https: [\"10.20.0.53:443\"]}\ntls: "+test.tls+"\n"), "f")
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v; want %q", err, test.want)
			}
		})
	}
}
