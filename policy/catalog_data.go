package policy

// The sources of the catalog that several services share.
const (
	windowsEndpoints = "Microsoft: manage connection endpoints for Windows 11"
	misp365          = "MISP warning lists: Microsoft 365 addresses"
	mispCRL          = "MISP warning lists: hosts of revocation lists"
	publicCode       = "seen in public program code"
	timestampSurvey  = "seen in public program code that stamps documents"
	pagopaCode       = "PagoPA: program code of its projects"
	unchecked        = "general knowledge, not checked"
)

// builtins are the built-in services in order of their ids. A subtree is given only where the hosts below a name are many
// and all of the same body.
var builtins = []builtin{
	{"agenzia-entrate", "Agenzia delle Entrate", Web, []cited{
		{publicCode, "2026-11", ".agenziaentrate.gov.it www.fatturapa.gov.it"},
		{unchecked, "", ".agenziaentrateriscossione.gov.it .agenziaentrate.it"},
	}},
	{"anpr", "Anagrafe nazionale della popolazione residente (ANPR)", Web, []cited{
		{publicCode, "2026-11", ".anpr.interno.it .anagrafenazionale.interno.it"},
		{unchecked, "", ".anagrafenazionale.interno.gov.it"},
	}},
	{"certificate-revocation", "Verifica di revoca dei certificati (OCSP e CRL)", Web, []cited{
		{mispCRL, "2024-11", `
			ocsp.digicert.com crl3.digicert.com crl4.digicert.com cacerts.digicert.com
			ocsp.sectigo.com crl.sectigo.com ocsp.usertrust.com crl.usertrust.com ocsp.comodoca.com crl.comodoca.com
			ocsp.globalsign.com ocsp2.globalsign.com crl.globalsign.com
			ocsp.pki.goog c.pki.goog crl.pki.goog x1.c.lencr.org x2.c.lencr.org
			ocsp.entrust.net crl.entrust.net ocsp.godaddy.com crl.godaddy.com .amazontrust.com
			oneocsp.microsoft.com crl.microsoft.com mscrl.microsoft.com ocsp.msocsp.com
			ocsp.quovadisglobal.com crl.quovadisglobal.com ocsp.harica.gr crl.harica.gr ocsps.ssl.com crls.ssl.com
			ocsp05.actalis.it crl05.actalis.it ldap05.actalis.it`},
		{publicCode, "2026-11", "ocsp09.actalis.it cacert.actalis.it"},
		{unchecked, "", "ocsp.certum.pl"},
	}},
	{"cie", "Carta d'identità elettronica (Entra con CIE)", Web, []cited{
		{pagopaCode, "2026-11", ".servizicie.interno.gov.it"},
		{"Italia: CIE middleware, program code", "2026-11", ".cartaidentita.interno.gov.it"},
	}},
	{Connectivity, "Verifica della connessione a Internet", Web, []cited{
		{windowsEndpoints, "2023-10", "www.msftconnecttest.com ipv6.msftconnecttest.com www.msftncsi.com"},
		{publicCode, "2026-11", "dns.msftncsi.com ipv6.msftncsi.com"},
		{"Mozilla: Firefox source documentation, captive portals", "2026-11", "detectportal.firefox.com"},
		{"seen in public lists of connectivity probes: Apple", "2026-11", "captive.apple.com"},
		{"seen in public lists of connectivity probes: Android and Chrome", "2026-11", "connectivitycheck.gstatic.com connectivitycheck.android.com"},
		{"seen in public lists of connectivity probes: NetworkManager of Ubuntu, Debian and GNOME", "2026-11",
			"connectivity-check.ubuntu.com network-test.debian.org nmcheck.gnome.org"},
	}},
	{Signature, "Firma digitale: verifica dei certificati e marche temporali", Web, []cited{
		{"AgID: Italian trusted list", "2026-09", "eidas.agid.gov.it"},
		{"European Commission: list of the trusted lists", "2026-09", "ec.europa.eu"},
		{timestampSurvey, "2026-11", `
			servizi.arubapec.it timestamp.namirialtsp.com timestamp.actalis.com
			digitaltimestamp.infocert.it timestamp.infocert.it stamper.infocert.it`},
		{"seen in certificates of trust-service providers", "2026-11", `
			ocsp.arubapec.it onsitecrl.arubapec.trustitalia.it ocsp.infocert.it ocsp.cs.ca3.infocert.it cns.postecert.poste.it certificati.postecert.it`},
		{"Poste Italiane: FirmaOK", "2026-11", "vol.postecert.poste.it"},
		{mispCRL, "2024-11", "ocsp05.actalis.it crl05.actalis.it ldap05.actalis.it"},
		{publicCode, "2026-11", "ocsp09.actalis.it cacert.actalis.it"},
	}},
	{"inail", "INAIL", Web, []cited{
		{publicCode, "2026-11", ".inail.it"},
	}},
	{"inps", "INPS", Web, []cited{
		{publicCode, "2026-11", ".inps.it"},
		{unchecked, "", ".inps.gov.it"},
	}},
	{"microsoft-365", "Microsoft 365", Web, []cited{
		{misp365, "2024-11", `
			.cloud.microsoft .static.microsoft .usercontent.microsoft
			outlook.office.com outlook.office365.com .office.com .office.net .sharepoint.com .teams.microsoft.com graph.microsoft.com
			login.microsoftonline.com login.microsoft.com login.windows.net .msauth.net .msftauth.net`},
	}},
	{"ntp", "Ora esatta (NTP)", Web, []cited{
		{publicCode, "2026-11", "ntp1.inrim.it ntp2.inrim.it"},
		{unchecked, "", "time.windows.com"},
	}},
	{"pa", "Siti della pubblica amministrazione", Web, []cited{
		{publicCode, "2026-11", `
			indicepa.gov.it .agid.gov.it .gazzettaufficiale.it .istat.it .garanteprivacy.it .italia.it .giustizia.it .adm.gov.it
			.consob.it .agcom.it .fondazioneifel.it www.normattiva.it www.inipec.gov.it www.acquistinretepa.it`},
		{unchecked, "", `
			.indicepa.gov.it .acn.gov.it .normattiva.it .inipec.gov.it .domiciliodigitale.gov.it .anticorruzione.it .acquistinretepa.it
			.mef.gov.it .siope.it .bancaditalia.it .impresainungiorno.gov.it .infocamere.it .registroimprese.it
			.camcom.it .anci.it .padigitale2026.gov.it .notifichedigitali.it`},
	}},
	{"pagopa", "pagoPA e Piattaforma digitale nazionale dati (PDND)", Web, []cited{
		{pagopaCode, "2026-11", ".platform.pagopa.it .interop.pagopa.it developer.pagopa.it"},
		{unchecked, "", ".pagopa.it .pagopa.gov.it"},
	}},
	{CertifiedMail, "Posta elettronica certificata (PEC)", Mail, []cited{
		{"seen in public program code: Aruba PEC", "2026-11", ".pec.it .pec.aruba.it"},
		{"seen in public program code: Actalis", "2026-11", "webmail.pec.actalis.it"},
		{"seen in public program code: InfoCert Legalmail", "2026-11", "legalmail.infocert.it imap.legalmail.infocert.it sendm.legalmail.infocert.it .legalmail.it"},
		{"seen in public program code: Poste Italiane", "2026-09", "postecert.poste.it relay.postecert.poste.it mail.postecert.it"},
		{"seen in public program code: Register", "2026-11", "webmail.register.it authsmtp.register.it"},
		{"seen in public program code: Namirial", "2026-11", "legalpec.webmailpec.it"},
		{unchecked, "", ".sicurezzapostale.it"},
	}},
	{"spid", "SPID: gestori dell'identità digitale", Web, []cited{
		{"Italia: SPID smart button, and PagoPA: IO app", "2026-11", `
			loginspid.aruba.it id.eht.eu loginspid.infocamere.it identity.infocert.it idp.intesigroup.com spid.intesigroup.com
			id.lepida.it idp.namirialtsp.com posteid.poste.it identity.sieltecloud.it spid.register.it login.id.tim.it spid.teamsystem.com`},
		{"AgID: SPID registry", "2026-11", ".spid.gov.it"},
	}},
	{"windows-base", "Windows: licenze, Defender e notifiche", Web, []cited{
		{windowsEndpoints, "2023-10", `
			licensing.mp.microsoft.com settings-win.data.microsoft.com settings.data.microsoft.com wdcp.microsoft.com
			.smartscreen.microsoft.com checkappexec.microsoft.com .wns.windows.com`},
	}},
	{"windows-update", "Windows Update", Web, []cited{
		{windowsEndpoints, "2023-10", `
			.windowsupdate.com .update.microsoft.com .delivery.mp.microsoft.com .prod.do.dsp.mp.microsoft.com emdl.ws.microsoft.com
			tsfe.trafficshaping.dsp.mp.microsoft.com definitionupdates.microsoft.com adl.windows.com
			login.live.com ocsp.digicert.com msedge.api.cdp.microsoft.com`},
		{"copies of Microsoft's page on the firewall for WSUS", "2026-11", `
			.windowsupdate.microsoft.com download.microsoft.com wustat.windows.com ntservicepack.microsoft.com`},
		{"seen in a public list of Windows Update hosts (sgawa/pac-ip-manager)", "2026-06", ".api.cdp.microsoft.com"},
	}},
}
