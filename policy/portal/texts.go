package portal

import (
	"strings"

	"golang.org/x/text/language"

	"usciere/policy"
	"usciere/policy/letter"
)

// texts are all that the pages say in one language. What stands in braces is filled in; markup does not belong here.
type texts struct {
	tag           string // of BCP 47
	Service       string // what the pages are, below the town's name
	SkipToMain    string
	CallIT        string // {contact}
	CallITPlain   string
	weekdays      [7]string
	Regulation    string // at the foot
	Private       string // at the foot: that nothing is kept
	shortNoProxy  string // the short answers, in one line
	shortBadHost  string
	shortNothing  string
	shortNotAsked string

	// The block page. {office}, {name}, {zone}, {date}, {protocol}, {id}, {schedule}, {until}, {from}
	Asked       string // above the name
	WhatNow     string
	notAsked    string
	noOffice    string
	ofTown      string
	closed      string
	justGranted string
	unlimited   string
	listed      string
	asleep      string
	otherUse    string
	ended       string
	toCome      string
	waitsSeat   string // submitted
	waitsIT     string // endorsed
	denied      string
	deniedUnder string // with a protocol number
	cannotAsk   string
	nextAsk     string // who signs
	nextPaper   string // where there is no form
	nextRetry   string
	nextThen    string // asleep
	nextDenied  string
	nextOpen    string
	nextIT      string
	askButton   string
	againButton string
	seeButton   string

	// The portal.
	HomeTitle, HomeWhat, HomeWho, HomeNobody, HomeSeat, HomeUnlimited string // {office}, {seat}
	HomeNew, HomeOpen, HomeNone, HomeCount                            string
	NotFoundTitle, NotFound, CrossTitle, Cross, SlowTitle, Slow       string
	FailedTitle, Failed, Back                                         string

	FormTitle, FormWhat, FormOffice, FormDate, FormName, FormNameHint        string
	FormReason, FormReasonHint, FormMore, FormMoreHint, FormUntil            string
	FormUntilHint, FormSend, FormAfter, FormErrors, FormRequired             string
	errName, errNameMissing, errReason, errReasonLong, errMore, errUntil     string // {text}
	errSuffix, errPast, errTooMany, errFull, errOther, errTooLong, errAsForm string

	StatusTitle, StatusAsked, StatusReason, StatusWay, StatusPrint  string
	StatusPeriod, StatusFresh, StatusPaper, StatusUntil, StatusFrom string
	StatusProtocol, StatusBy, StatusExactly                         string
	StatusTree, StatusBelow, StatusLeft                             string
	states                                                          map[policy.RequestState]string
	steps                                                           map[policy.RequestState]string

	SignTitle, SignWhat, SignWho, SignButton, SignWrong, SignPrint, SignOver, SignOverTitle, SignEffect string
}

// languages are those of the pages, the default first.
var languages = []*texts{&italian, &english, &german}

var matcher = func() language.Matcher {
	var tags []language.Tag
	for _, t := range languages {
		tags = append(tags, language.MustParse(t.tag))
	}
	return language.NewMatcher(tags)
}()

// maxAccept is how much of an Accept-Language header is read, in octets: browsers send some tens.
const maxAccept = 256

// textsFor are the texts that a visitor reads best (RFC 9110 §12.5.4).
func textsFor(accept string) *texts {
	if len(accept) > maxAccept {
		accept = accept[:strings.LastIndexByte(accept[:maxAccept], ',')+1]
	}
	_, i := language.MatchStrings(matcher, strings.TrimSuffix(accept, ","))
	return languages[i]
}

// Tag is the language, for the page's lang attribute.
func (t *texts) Tag() string { return t.tag }

// fill puts values in the place of what stands in braces: name, value, name, value.
func fill(text string, pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 {
		pairs[i] = "{" + pairs[i] + "}"
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// date writes a day or a minute as the language does, and as the letters do.
func (t *texts) date(m policy.Moment) string { return letter.Date(t.tag, m) }

// timetable writes a schedule with the weekdays of the language.
func (t *texts) timetable(s policy.Schedule) string {
	var pairs []string
	for i, names := range [][2]string{{"mon", "lun"}, {"tue", "mar"}, {"wed", "mer"}, {"thu", "gio"}, {"fri", "ven"}, {"sat", "sab"}, {"sun", "dom"}} {
		pairs = append(pairs, names[0], t.weekdays[i], names[1], t.weekdays[i])
	}
	return strings.NewReplacer(pairs...).Replace(strings.ToLower(string(s)))
}

// callIT says how to reach the IT office.
func (v *visit) callIT() string {
	if v.Contact == "" {
		return v.text.CallITPlain
	}
	return fill(v.text.CallIT, "contact", v.Contact)
}
