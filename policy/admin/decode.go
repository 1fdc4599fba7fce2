package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"usciere/policy"
)

const (
	maxBody  = 1 << 20 // octets
	maxText  = 4096    // octets of one text in it; the reasons of a letter may have 4000
	maxDepth = 32      // of JSON
)

// body reads the JSON object that a command carries. Everything that is not exactly one is refused: another type of
// content, more than 1 MiB, unknown and repeated fields, anything after the object.
func body[T any](w http.ResponseWriter, r *http.Request) (T, error) {
	return bodyUpTo[T](w, r, maxBody)
}

// bodyUpTo is body for commands that may carry more, or less; most is in octets.
func bodyUpTo[T any](w http.ResponseWriter, r *http.Request, most int64) (v T, err error) {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return v, invalid("send it as application/json (curl --json)", "the content is not marked as JSON")
	}
	if r.Header.Get("Content-Encoding") != "" {
		return v, invalid("send it as it is", "the content is encoded")
	}
	tooLong := invalid("split the change into several", fmt.Sprintf("the content is longer than %d octets", most))
	if r.ContentLength > most {
		w.Header().Set("Connection", "close")
		return v, tooLong
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return v, tooLong
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.Header().Set("Connection", "close")
		return v, invalid("send it in one piece", fmt.Sprintf("the content did not come within %s", bodyTimeout))
	case err != nil:
		return v, invalid("", "the content was cut off: "+err.Error())
	}
	return v, decode(text, &v)
}

// decode reads one JSON object strictly into a struct. Errors are of type *policy.Error.
func decode(text []byte, into any) error {
	if !utf8.Valid(text) {
		return invalid("", "the content is not UTF-8")
	}
	if !bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{")) {
		return invalid("send {} when there is nothing to say", "the content is no JSON object")
	}
	keys := json.NewDecoder(bytes.NewReader(text))
	keys.UseNumber()
	if err := checkValue(keys, 0); err != nil {
		return refusalOf(err)
	}
	if _, err := keys.Token(); !errors.Is(err, io.EOF) {
		return invalid("", "something follows the JSON object")
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	return refusalOf(dec.Decode(into))
}

// refusalOf makes an error of encoding/json a refusal; refusals by the types themselves pass.
func refusalOf(err error) error {
	if err == nil {
		return nil
	}
	var refusal *policy.Error
	if errors.As(err, &refusal) {
		return refusal
	}
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		return invalid("", fmt.Sprintf("field %q cannot be a %s", wrongType.Field, wrongType.Value))
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return invalid("", "the JSON object ends too early")
	}
	return invalid("", "the content is not as it should be: "+strings.TrimPrefix(err.Error(), "json: "))
}

// checkValue refuses what encoding/json lets pass in the next value: keys that stand twice in an object or are written
// in capitals, otherwise than the field, and texts that would be slow to read, as names are (IDNA).
func checkValue(dec *json.Decoder, depth int) error {
	if depth > maxDepth {
		return invalid("", "the JSON is nested too deeply")
	}
	token, err := dec.Token()
	if err != nil {
		return err
	}
	if text, ok := token.(string); ok && len(text) > maxText {
		return invalid("shorten it; of the address of a page, only the host counts", fmt.Sprintf("a text is longer than %d octets", maxText))
	}
	switch token {
	case json.Delim('{'):
		seen := map[string]bool{}
		for dec.More() {
			token, err := dec.Token()
			if err != nil {
				return err
			}
			key, _ := token.(string) // the decoder sees to it
			if seen[key] {
				return invalid("", fmt.Sprintf("field %q stands twice", key))
			}
			if strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789_-.:") != "" {
				return invalid("", fmt.Sprintf("unknown field %q", key))
			}
			seen[key] = true
			if err := checkValue(dec, depth+1); err != nil {
				return err
			}
		}
	case json.Delim('['):
		for dec.More() {
			if err := checkValue(dec, depth+1); err != nil {
				return err
			}
		}
	default:
		return nil
	}
	_, err = dec.Token() // the closing bracket
	return err
}

// params are the parameters of a command that carries no content. Those that the command does not know, or that come twice,
// are refused.
func params(r *http.Request, known ...string) (url.Values, error) {
	if r.ContentLength != 0 {
		return nil, invalid("", "this command takes no content")
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalid("", "the parameters are malformed: "+err.Error())
	}
	for key, all := range values {
		if !slices.Contains(known, key) {
			return nil, invalid("it knows: "+strings.Join(known, ", "), fmt.Sprintf("unknown parameter %q", key))
		}
		if len(all) > 1 {
			return nil, invalid("", fmt.Sprintf("parameter %q stands twice", key))
		}
		if !utf8.ValidString(all[0]) {
			return nil, invalid("", fmt.Sprintf("parameter %q is not UTF-8", key))
		}
	}
	return values, nil
}
