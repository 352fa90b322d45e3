package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	wmhttp "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/client"
	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/protocol"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/valyala/fasthttp"
)

const (
	appPath = "/events/api/v1/app"
	bearer  = "Bearer "
)

// token is as long as a real one.
var token = strings.Repeat("t", 800)

// tuned is net/http's transport as somebody sets it who has measured.
func tuned(connections int) *http.Transport {
	return &http.Transport{MaxIdleConns: connections, MaxIdleConnsPerHost: connections, ForceAttemptHTTP2: true}
}

// drained reads replies to their end, so that their connections are used again.
type drained struct{ http.RoundTripper }

func (d drained) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := d.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, err
}

// netHTTP posts bytes that are ready.
func netHTTP(base string, transport http.RoundTripper, body []byte) func() error {
	return netHTTPWith(base, transport, body, token, token)
}

func netHTTPWith(base string, transport http.RoundTripper, body []byte, user, platform string) func() error {
	client := &http.Client{Transport: transport}
	return func() error {
		r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, base+appPath, bytes.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", bearer+user)
		r.Header.Set("PlatformAccessToken", platform)
		resp, err := client.Do(r)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
		_ = resp.Body.Close()
		return errors.Join(err, created(resp.StatusCode))
	}
}

func created(status int) error {
	if status != http.StatusCreated {
		return fmt.Errorf("the endpoint answered %d", status)
	}
	return nil
}

// sdk makes events and sends them with the client of cloudevents/sdk-go.
func sdk(base string, transport http.RoundTripper) (func() error, error) {
	send, err := sdkClient(base, transport)
	return func() error {
		ev := sdkEvent()
		ev.SetID(newID())
		ev.SetTime(time.Now())
		return send(ev)
	}, err
}

// sdkClient is Send of a client of cloudevents/sdk-go over HTTP, structured. It
// validates events as Publish does.
func sdkClient(base string, transport http.RoundTripper) (func(event.Event) error, error) {
	p, err := cehttp.New(cehttp.WithTarget(base+appPath), cehttp.WithClient(http.Client{Transport: transport}),
		cehttp.WithHeader("Authorization", bearer+token), cehttp.WithHeader("PlatformAccessToken", token))
	if err != nil {
		return nil, err
	}
	c, err := client.New(p)
	return func(ev event.Event) error {
		result := c.Send(binding.WithForceStructured(context.Background()), ev)
		if protocol.IsACK(result) {
			return nil
		}
		return result
	}, err
}

// watermill publishes with Watermill's HTTP publisher.
func watermill(base string, client *http.Client, body []byte) (func() error, error) {
	p, err := wmhttp.NewPublisher(wmhttp.PublisherConfig{
		Client: client,
		MarshalMessageFunc: func(url string, msg *message.Message) (*http.Request, error) {
			r, err := wmhttp.DefaultMarshalMessageFunc(url, msg)
			if err == nil {
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("Authorization", bearer+token)
				r.Header.Set("PlatformAccessToken", token)
			}
			return r, err
		},
	}, nil)
	if err != nil {
		return nil, err
	}
	return func() error { return p.Publish(base+appPath, message.NewMessage(newID(), body)) }, nil
}

// fast posts with fasthttp.
func fast(base string, connections int, body []byte) func() error {
	client := &fasthttp.Client{MaxConnsPerHost: connections}
	return func() error {
		r, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
		defer fasthttp.ReleaseRequest(r)
		defer fasthttp.ReleaseResponse(resp)
		r.SetRequestURI(base + appPath)
		r.Header.SetMethod(http.MethodPost)
		r.Header.SetContentType("application/json")
		r.Header.Set("Authorization", bearer+token)
		r.Header.Set("PlatformAccessToken", token)
		r.SetBodyRaw(body)
		if err := client.Do(r, resp); err != nil {
			return err
		}
		return created(resp.StatusCode())
	}
}

// floor writes the same request to connections of its own, and reads no more of an
// answer than it must.
type floor struct {
	address string
	request []byte
	idle    sync.Pool
}

type floorConn struct {
	net.Conn
	reader *bufio.Reader
}

func newFloor(base string, body []byte) (*floor, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"+
		"Authorization: %s%s\r\nPlatformAccessToken: %s\r\nContent-Length: %d\r\n\r\n%s",
		appPath, u.Host, bearer, token, token, len(body), body)
	return &floor{address: u.Host, request: request}, nil
}

func (f *floor) send() error {
	c, ok := f.idle.Get().(*floorConn)
	if !ok {
		conn, err := net.Dial("tcp", f.address) //nolint:noctx // loopback
		if err != nil {
			return err
		}
		c = &floorConn{conn, bufio.NewReader(conn)}
	}
	if _, err := c.Write(f.request); err != nil {
		return err
	}
	status, length := 0, 0
	for {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) == 2 {
			break
		}
		if status == 0 {
			_, err = fmt.Sscanf(string(line[:13]), "HTTP/1.1 %d", &status)
		} else if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			_, err = fmt.Sscan(string(value), &length)
		}
		if err != nil {
			return err
		}
	}
	if _, err := c.reader.Discard(length); err != nil {
		return err
	}
	f.idle.Put(c)
	return created(status)
}
