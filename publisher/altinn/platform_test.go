package altinn_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/altinn"
)

func TestNewClient_PlatformURL(t *testing.T) {
	t.Parallel()
	const prod = "https://platform.altinn.no/events/api/v1"
	for url, want := range map[string]string{
		"https://platform.altinn.no":                   prod,
		"https://platform.altinn.no/":                  prod,
		"https://platform.altinn.no/events/api/v1":     prod,
		"https://platform.altinn.no/events/api/v1//":   prod,
		"https://platform.altinn.no//events/api/v1":    prod,
		"HTTPS://platform.altinn.no":                   prod,
		"https://gateway.example/altinn":               "https://gateway.example/altinn/events/api/v1",
		"https://gateway.example/altinn/events/api/v1": "https://gateway.example/altinn/events/api/v1",
		"http://localhost:5080":                        "http://localhost:5080/events/api/v1",
		"http://LOCALHOST":                             "http://LOCALHOST/events/api/v1",
		"http://127.8.9.10:1":                          "http://127.8.9.10:1/events/api/v1",
		"http://[::1]:5080":                            "http://[::1]:5080/events/api/v1",
	} {
		c, err := altinn.NewClient(url, altinn.Config{})
		if err != nil {
			t.Errorf("NewClient(%q): %v", url, err)
			continue
		}
		if got := fmt.Sprint(c); got != "altinn.Client("+want+")" {
			t.Errorf("NewClient(%q) = %s, want %s", url, got, want)
		}
	}
}

func TestNewClient_RefusesPlatformURL(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"":                                    "is empty",
		"platform.altinn.no":                  "https://host",
		"localhost:5080":                      "https://host",
		"ftp://platform.altinn.no":            "https://host",
		"https://":                            "https://host",
		"https:///events/api/v1":              "https://host",
		"https://:443":                        "no host",
		"https://host\x7f":                    "cannot be parsed",
		"http://platform.altinn.no":           "unencrypted",
		"http://localhost.example":            "unencrypted",
		"http://10.0.0.1":                     "unencrypted",
		"https://a:b@platform.altinn.no":      "user or password",
		"https://platform.altinn.no?x=1":      "query",
		"https://platform.altinn.no?":         "query",
		"https://platform.altinn.no#fragment": "fragment",
	} {
		if _, err := altinn.NewClient(url, altinn.Config{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("NewClient(%q) = %v, want an error that says %q", url, err, want)
		}
	}
}

func TestNewClient_TellsNoPassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"https://user:hunter2@host\x7f", "https://user:hunter2@platform.altinn.no",
		"https://user:hunter2/x@host", "https://user:%hunter2@host", "https://hunter2 @host", "hunter2\x00://host", "1hunter2:",
	} {
		if _, err := altinn.NewClient(url, altinn.Config{}); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("NewClient = %v, want an error without the password", err)
		}
	}
}

func TestConfig_AllowHTTP(t *testing.T) {
	t.Parallel()
	if _, err := altinn.NewClient("http://eventsink:5080", altinn.Config{AllowHTTP: true}); err != nil {
		t.Errorf("NewClient = %v, want nil", err)
	}
}

func TestTransport_SpeaksHTTP2(t *testing.T) {
	t.Parallel()
	var proto string
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proto = r.Proto
		w.WriteHeader(http.StatusCreated)
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	transport := altinn.NewTransport()
	transport.TLSClientConfig = s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	transport.TLSClientConfig.NextProtos = nil

	c := newClient(t, s.URL, altinn.Config{Transport: transport, Credentials: altinn.Credentials{Bearer: static("token")}})
	defer c.CloseIdleConnections()
	if err := c.Send(t.Context(), appItem); err != nil {
		t.Fatalf("Send: %v", err)
	}
	if proto != "HTTP/2.0" {
		t.Errorf("protocol = %s, want HTTP/2.0", proto)
	}
}

func TestTransport_BoundsHeaders(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		bytes int
		fails bool
	}{"32KiB": {32 << 10, false}, "80KiB": {80 << 10, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-Long", strings.Repeat("x", tc.bytes))
				w.WriteHeader(http.StatusCreated)
			})
			err := s.client(t, altinn.Config{}).Send(t.Context(), appItem)
			if got := errors.Is(err, publisher.ErrUnavailable); got != tc.fails {
				t.Errorf("Send = %v, want ErrUnavailable: %t", err, tc.fails)
			}
		})
	}
}

func TestTransport_WritesARequestAtOnce(t *testing.T) {
	t.Parallel()
	s := serve(t, answer(http.StatusCreated, "", ""))
	transport := altinn.NewTransport()
	var writes atomic.Int64
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		return &countingConn{conn, &writes}, err
	}
	long := static(strings.Repeat("x", 3<<10))
	c := s.client(t, altinn.Config{
		Transport: transport, Credentials: altinn.Credentials{Bearer: long, PlatformAccessToken: long},
	})
	if err := c.Send(t.Context(), appItem); err != nil {
		t.Fatalf("Send: %v", err)
	}
	if got := writes.Load(); got != 1 {
		t.Errorf("writes = %d, want 1", got)
	}
}

// countingConn counts writes.
type countingConn struct {
	net.Conn

	writes *atomic.Int64
}

func (c *countingConn) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

func TestTransport_ChecksCertificates(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(answer(http.StatusCreated, "", ""))
	s.Config.ErrorLog = discardLog
	s.StartTLS()
	defer s.Close()
	err := newClient(t, s.URL, altinn.Config{}).Send(t.Context(), appItem)
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok || !errors.Is(err, publisher.ErrUnavailable) {
		t.Errorf("Send = %v, want ErrUnavailable with a tls.CertificateVerificationError", err)
	}
}
