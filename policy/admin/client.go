package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"syscall"

	"usciere/policy"
)

// Client speaks to a daemon through its socket. Refusals of the daemon come back as *policy.Error.
type Client struct {
	socket string
	http   *http.Client
}

// Dial makes a client of the socket; it connects with the first command.
func Dial(socket string) *Client {
	dialer := net.Dialer{}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		},
		DisableCompression: true,
	}
	return &Client{socket: socket, http: &http.Client{Transport: transport}}
}

// Close closes the idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

const maxReply = 256 << 20 // octets; a stream may be longer

// get gives a command that shows something.
func get[T any](ctx context.Context, c *Client, path string, params url.Values) (reply T, err error) {
	r, err := c.do(ctx, http.MethodGet, path, params, nil)
	if err != nil {
		return reply, err
	}
	return reply, c.read(r, &reply)
}

// post gives a command that carries content.
func post[T any](ctx context.Context, c *Client, path string, content any) (reply T, err error) {
	r, err := c.do(ctx, http.MethodPost, path, nil, content)
	if err != nil {
		return reply, err
	}
	return reply, c.read(r, &reply)
}

// pour copies a stream and returns its length in octets; a stream that breaks off is an error.
func (c *Client) pour(ctx context.Context, path string, params url.Values, w io.Writer) (int64, error) {
	r, err := c.do(ctx, http.MethodGet, path, params, nil)
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	n, err := io.Copy(w, r.Body)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = &policy.Error{Code: Fault, Message: fmt.Sprintf("the daemon broke off after %d octets", n), Hint: "see the daemon's log"}
	}
	return n, err
}

func (c *Client) do(ctx context.Context, method, path string, params url.Values, content any) (*http.Response, error) {
	var body io.Reader
	if content != nil {
		text, err := json.Marshal(content)
		if err != nil {
			return nil, fmt.Errorf("write the command: %w", err)
		}
		body = bytes.NewReader(text)
	}
	return c.send(ctx, method, path, params, body)
}

// send gives a command; body is its content as JSON, if it carries any.
func (c *Client) send(ctx context.Context, method, path string, params url.Values, body io.Reader) (*http.Response, error) {
	target := url.URL{Scheme: "http", Host: "usciere", Path: path, RawQuery: params.Encode()}
	r, err := http.NewRequestWithContext(ctx, method, target.String(), body)
	if err != nil {
		return nil, fmt.Errorf("make the command: %w", err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	reply, err := c.http.Do(r)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if reply.StatusCode == http.StatusOK {
		return reply, nil
	}
	defer reply.Body.Close()
	refusal := new(policy.Error)
	err = json.NewDecoder(io.LimitReader(reply.Body, maxBody)).Decode(refusal)
	if err != nil || refusal.Message == "" {
		return nil, fmt.Errorf("%s answered %s: is it usciere?", c.socket, reply.Status)
	}
	return nil, refusal
}

func (c *Client) read(r *http.Response, into any) error {
	defer r.Body.Close()
	if err := json.NewDecoder(io.LimitReader(r.Body, maxReply)).Decode(into); err != nil {
		return fmt.Errorf("read the daemon's reply: %w; are both of the same version?", err)
	}
	_, err := io.Copy(io.Discard, r.Body) // so that the connection can be used again
	return err
}

// unreachable says what to do when no daemon answers.
func (c *Client) unreachable(err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTDIR):
		return &policy.Error{Code: Unreachable, Message: "usciere does not answer on " + c.socket, Hint: "is it running? (--socket, $USCIERE_SOCKET)"}
	case errors.Is(err, fs.ErrPermission):
		return &policy.Error{Code: Unreachable, Message: "permission denied to " + c.socket,
			Hint: "use sudo, or put the socket into a folder that you may enter (admin.socket; --socket, $USCIERE_SOCKET)"}
	}
	var wrapped *url.Error // it names a URL that means nothing to anybody
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return &policy.Error{Code: Unreachable, Message: fmt.Sprintf("no reply from usciere on %s: %v", c.socket, err),
		Hint: "it is stopping, or has too many connections: try again; whether a change was made, `usciere journal` says"}
}
