package letter

import (
	"regexp"
	"strconv"
	"strings"

	"usciere/policy"
)

// words are all texts of letters in one language. What stands in braces is filled in.
type words struct {
	Tag string // of BCP 47

	Months              [12]string
	First               string // the first day of a month
	Day, Minute         string // {d} {month} {y}, and {date} {time}
	Weekdays            [7]string
	Web, Mail           string // use
	From, Until, Within string // {from}, {until}
	Endless             string
	Tree, Below         string // {name}

	Protocol, Dated, About, To, Attention, Subject string // labels
	Request, RequestUnnumbered                     string // {protocol}, {date}
	SignedBy, SignedByHolder                       string // {holder}, {seat}
	ITHead, ToITHead                               string

	WhatWasDecided, Why, WhatNow                        string // titles
	ColumnWhat, ColumnUse, ColumnWhen, ColumnOn         string
	ColumnReason                                        string
	TopicWeb, TopicMail, TopicPEC                       string
	WebReasons, MailReasons                             string
	GroundOutside, GroundCourt, GroundActs              string
	AskAtPortal, AskInWriting, GrantsEnd, Contact       string
	DecisionSubject, DecisionWhole, DecisionInPart      string // {topic}, {request}
	DecisionPartSubject                                 string // {topic}, {request}
	DecisionOpened, DecisionLeft, DecisionReplaces      string
	DecisionNow, DecisionNowMail, DecisionToCome        string
	DenialSubject, DenialWhole, DenialAsked             string
	DenialWhy, DenialNow                                string
	RevocationSubject, RevocationWhole                  string
	RevocationWhy, RevocationNow                        string
	ReminderSubject, ReminderWhole, ReminderWhy         string
	WhatWillEnd, ReminderNow, ReminderPortal            string
	ReminderElse                                        string
	RenewalTitle, RenewalOffice, RenewalOf, RenewalWhat string
	RenewalReasons, RenewalUntil                        string
	FormSubject, FormAsks, FormPeriod, FormReasons      string
	FormHow, FormByLink, FormByHand, FormRenews         string
	FormLinkEnds                                        string // {date}
	FormSeat, FormManager                               string // where no seat is named
	FormTitle, FormOnlyByHand                           string
	SignName, SignDate, SignHere, ForRegistry           string
	Journal                                             string // {id}; at the foot, before the journal's head

	// Elided are the articles that lose their vowel before a day that begins with one (8, 11): old, new, old, new.
	Elided []string
}

// languages are those that letters are written in, the default first.
var languages = []*words{&italian, &english, &german}

// wordsOf are the words of a language; Italian, if there are none.
func wordsOf(tag string) *words {
	for _, w := range languages {
		if w.Tag == tag {
			return w
		}
	}
	return languages[0]
}

// fill puts values in the place of what stands in braces: name, value, name, value.
func (w *words) fill(text string, pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 {
		name, value := "{"+pairs[i]+"}", pairs[i+1]
		if strings.HasPrefix(value, "8 ") || strings.HasPrefix(value, "11 ") {
			for k := 0; k < len(w.Elided); k += 2 {
				text = strings.ReplaceAll(text, w.Elided[k]+name, w.Elided[k+1]+name)
			}
		}
		pairs[i] = name
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// Date writes a day or a minute in a language: it, en or de.
func Date(language string, m policy.Moment) string { return wordsOf(language).date(m) }

// date writes a day or a minute as the language does.
func (w *words) date(m policy.Moment) string {
	if new(policy.Moment).UnmarshalText([]byte(m)) != nil || m == "" {
		return string(m)
	}
	month, _ := strconv.Atoi(string(m[5:7]))
	d := strings.TrimPrefix(string(m[8:10]), "0")
	if d == "1" {
		d = w.First
	}
	day := w.fill(w.Day, "d", d, "month", w.Months[month-1], "y", string(m[:4]))
	if len(m) == len("2006-01-02") {
		return day
	}
	return w.fill(w.Minute, "date", day, "time", string(m[11:]))
}

// request is how a letter calls a request by its number and date.
func (w *words) request(protocol string, date policy.Moment) string {
	if protocol == "" {
		return w.fill(w.RequestUnnumbered, "date", w.date(date))
	}
	return w.fill(w.Request, "protocol", protocol, "date", w.date(date))
}

// label is a request's label in the language.
func (w *words) label(text string) string {
	if protocol, date, ok := strings.Cut(text, " of "); ok {
		if _, err := policy.ParseProtocol(protocol); err == nil {
			return w.request(protocol, policy.Moment(date))
		}
	}
	return text
}

// opens is what a rule or service opens, in words.
func (w *words) opens(what, title string) string {
	switch {
	case title != "":
		return title
	case strings.HasPrefix(what, "*."):
		return w.fill(w.Below, "name", what[2:])
	case strings.HasPrefix(what, ".") && len(what) > 1:
		return w.fill(w.Tree, "name", what[1:])
	}
	return what
}

// when is from when until when.
func (w *words) when(from, until policy.Moment) string {
	switch {
	case from != "" && until != "":
		return w.fill(w.Within, "from", w.date(from), "until", w.date(until))
	case from != "":
		return w.fill(w.From, "from", w.date(from))
	case until != "":
		return w.fill(w.Until, "until", w.date(until))
	}
	return w.Endless
}

func (w *words) use(c policy.Channel) string {
	if c == policy.Mail {
		return w.Mail
	}
	return w.Web
}

// topic is what a letter is about.
func (w *words) topic(c *policy.LetterContent) string {
	switch {
	case c.Ground != "":
		return w.TopicPEC
	case isMail(c):
		return w.TopicMail
	}
	return w.TopicWeb
}

// isMail says whether all that the letter is about is mail.
func isMail(c *policy.LetterContent) bool {
	for _, o := range c.Opened {
		if o.Channel != policy.Mail {
			return false
		}
	}
	return len(c.Opened) > 0 || c.Channel == policy.Mail
}

var weekdayPattern = regexp.MustCompile(`\b(mon|tue|wed|thu|fri|sat|sun)\b`)

// limits are a grant's terms with the days of the week in the language.
func (w *words) limits(terms string) string {
	return weekdayPattern.ReplaceAllStringFunc(terms, func(day string) string {
		return w.Weekdays[strings.Index("mon tue wed thu fri sat sun", day)/4]
	})
}
