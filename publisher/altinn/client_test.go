package altinn_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/altinn"
)

func TestNewClient_NamesEveryFault(t *testing.T) {
	t.Parallel()
	_, err := altinn.NewClient("http://user:hunter2@platform.example?code=hunter2#x", altinn.Config{
		Credentials: altinn.Credentials{SubscriptionKey: "two\nlines"},
	})
	if err == nil {
		t.Fatal("NewClient = nil, want an error")
	}
	for _, want := range []string{"altinn client: ", "unencrypted", "user or password", "query or fragment", "subscription key"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("NewClient = %v, want it to say %q", err, want)
		}
	}
	for _, secret := range []string{"hunter2", "two"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("NewClient = %v, which tells %q", err, secret)
		}
	}
}

func TestClient_Encoder(t *testing.T) {
	t.Parallel()
	for _, want := range []publisher.Encoder{{}, {DropUnsupported: true}, {CheckDigits: true}} {
		c := newClient(t, "https://platform.altinn.no", altinn.Config{
			DropUnsupported: want.DropUnsupported, CheckDigits: want.CheckDigits,
		})
		if got := c.Encoder(); got != want {
			t.Errorf("Encoder() = %+v, want %+v", got, want)
		}
	}
}

func TestClient_SendsTheDocumentedHeaders(t *testing.T) {
	t.Parallel()
	all := altinn.Credentials{
		PlatformAccessToken: static("platform-token"), Bearer: static("user-token"), SubscriptionKey: "key",
	}
	for name, tc := range map[string]struct {
		credentials altinn.Credentials
		endpoint    string
		want        map[string]string
	}{
		"App": {all, publisher.EndpointApp, map[string]string{
			"Content-Type": "application/json", "PlatformAccessToken": "platform-token",
			"Authorization": "Bearer user-token", "Ocp-Apim-Subscription-Key": "key",
		}},
		"Events": {all, publisher.EndpointEvents, map[string]string{
			"Content-Type": "application/cloudevents+json", "PlatformAccessToken": "platform-token",
			"Authorization": "Bearer user-token", "Ocp-Apim-Subscription-Key": "key",
		}},
		"NoCredentials": {altinn.Credentials{}, publisher.EndpointApp, map[string]string{"Content-Type": "application/json"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got http.Header
			var path string
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				got, path = r.Header, r.Method+" "+r.URL.Path
				w.WriteHeader(http.StatusCreated)
			})
			item := appItem
			item.Endpoint = tc.endpoint
			if err := s.client(t, altinn.Config{Credentials: tc.credentials}).Send(t.Context(), item); err != nil {
				t.Fatalf("Send: %v", err)
			}
			if want := "POST /events/api/v1" + tc.endpoint; path != want {
				t.Errorf("request = %s, want %s", path, want)
			}
			want := http.Header{"User-Agent": {"altinn-go-events"}, "Content-Length": {strconv.Itoa(len(item.Body))}}
			for name, value := range tc.want {
				want.Set(name, value)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCredentials_PrintRedacted(t *testing.T) {
	t.Parallel()
	cfg := altinn.Config{Credentials: altinn.Credentials{
		PlatformAccessToken: static("hunter2"), Bearer: static("hunter2"), SubscriptionKey: "hunter2",
	}}
	c := newClient(t, "https://platform.altinn.no", altinn.Config{
		Credentials: cfg.Credentials,
		Transport:   roundTripFunc(func(*http.Request) (*http.Response, error) { return response(201, ""), nil }),
	})
	if err := c.Send(t.Context(), appItem); err != nil {
		t.Fatalf("Send: %v", err)
	}
	var out bytes.Buffer
	for _, v := range []any{cfg, &cfg, cfg.Credentials, c, altinn.Credentials{SubscriptionKey: "hunter2"}, struct{ C altinn.Credentials }{cfg.Credentials}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("text", slog.Any("value", v))
		slog.New(slog.NewJSONHandler(&out, nil)).Info("json", slog.Any("value", v))
		encoded, _ := json.Marshal(v) //nolint:errchkjson // what is not marshalled is not leaked
		out.Write(encoded)
	}
	if got := slog.AnyValue(cfg.Credentials).Resolve(); !got.Equal(slog.StringValue("REDACTED")) {
		t.Errorf("slog value = %v, want REDACTED", got)
	}
	if !strings.Contains(out.String(), "REDACTED") {
		t.Errorf("printed without REDACTED:\n%s", &out)
	}
	for _, secret := range []string{"hunter2", "68756e74657232", "104 117 110 116 101 114 50"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("printed %q:\n%s", secret, &out)
		}
	}
}

func TestClient_CloseIdleConnections(t *testing.T) {
	t.Parallel()
	s := serve(t, answer(http.StatusCreated, "", ""))
	c := s.client(t, altinn.Config{})
	for range 2 {
		if err := c.Send(t.Context(), appItem); err != nil {
			t.Fatalf("Send: %v", err)
		}
		c.CloseIdleConnections()
	}
	if got := s.connections.Load(); got != 2 {
		t.Errorf("connections = %d, want 2", got)
	}
	newClient(t, s.URL, altinn.Config{Transport: roundTripFunc(nil)}).CloseIdleConnections()
}
