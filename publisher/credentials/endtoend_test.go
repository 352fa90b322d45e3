package credentials_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"golang.org/x/oauth2"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/altinn"
	"github.com/altinn-go/events/publisher/credentials"
	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/testutil"
)

// world is an app with all of its credentials, Maskinporten, the platform, and
// Altinn Events, which verifies every token.
type world struct {
	signer   *vault
	platform *credentials.Platform
	exchange *credentials.Exchange
	service  *testutil.TokenService
	sink     *testutil.Sink
	pub      *publisher.Publisher
}

func newWorld(t *testing.T, logger *slog.Logger, queued bool) *world {
	t.Helper()
	w := &world{signer: &vault{key: firstKey()}}
	key, err := credentials.NewKey(w.signer, certificate(firstKey()))
	if err != nil {
		t.Fatal(err)
	}
	w.service = tokenService(t, testutil.TokenServiceConfig{ExchangedLifetime: 5 * time.Minute})
	w.platform = newPlatform(t, key, credentials.PlatformConfig{})
	w.exchange, err = credentials.NewExchange(newMaskinporten(t, key, maskinportenConfig(w.service)),
		credentials.ExchangeConfig{PlatformURL: credentials.TT02().PlatformURL, Transport: w.service.Transport()})
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := key.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := testutil.ParseKeys(jwks)
	if err != nil {
		t.Fatal(err)
	}
	w.sink = testutil.NewSinkWithConfig(t, testutil.SinkConfig{Auth: testutil.AuthVerify, Keys: append(keys, w.service.Keys()...)})
	client, err := altinn.NewClient(credentials.TT02().PlatformURL, altinn.Config{
		Credentials: altinn.Credentials{PlatformAccessToken: w.platform, Bearer: credentials.User(w.exchange)}, Transport: w.sink.Transport(),
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := publisher.Config{Logger: logger}
	if queued {
		queue := outbox.NewMemory(outbox.Config{})
		t.Cleanup(func() { _ = queue.Close(context.WithoutCancel(t.Context())) })
		cfg.Queue = queue
	}
	if w.pub, err = publisher.New(client, cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.pub.Close(context.WithoutCancel(t.Context())) })
	return w
}

// newEvent is the creation of an instance of its own.
func newEvent(n int) event.Event {
	app := models.App{Org: "ttd", Name: "apps-test"}
	return app.Created(models.Instance{ID: fmt.Sprintf("50019855/428a4575-2c04-4400-89a3-%012d", n), InstanceOwner: models.InstanceOwner{PartyID: "50019855"}})
}

// The issuer is down for ten minutes, across the renewal of its token: events go on
// with the one that is valid and then wait in the queue, and none is discarded.
func TestEndToEnd_IssuerDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, true)
		publish := func(n int) {
			if err := w.pub.Publish(t.Context(), newEvent(n)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		publish(0)
		if n := len(w.sink.Events()); n != 1 {
			t.Fatalf("%d events before the outage, want 1", n)
		}
		lifts := []func(){
			w.service.Inject(testutil.Fault{Endpoint: "/token", Reset: true}),
			w.service.Inject(testutil.Fault{Endpoint: "/authentication", Status: http.StatusServiceUnavailable}),
		}
		began := time.Now()
		published, valid := 1, 0
		for time.Since(began) < 10*time.Minute {
			publish(published)
			published++
			if time.Since(began) < 4*time.Minute+50*time.Second {
				valid = published
			}
			time.Sleep(5 * time.Second)
		}
		if n := len(w.sink.Events()); n < valid || n == published {
			t.Errorf("%d events have arrived in the outage, want at least the %d for which the token was valid, and not all", n, valid)
		}
		for _, lift := range lifts {
			lift()
		}
		time.Sleep(time.Hour)
		if n := len(w.sink.Events()); n != published {
			t.Errorf("%d events have arrived, want all %d", n, published)
		}
	})
}

// A 401 renews the tokens once; a second is the caller's.
func TestEndToEnd_Refused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, false)
		for refusals, want := range []error{nil, nil, publisher.ErrUnauthorized} {
			before := w.signer.signatures.Load()
			if refusals > 0 {
				w.sink.Inject(testutil.Fault{Endpoint: "/app", Status: http.StatusUnauthorized, Times: refusals})
			}
			time.Sleep(time.Second)
			if err := w.pub.Publish(t.Context(), newEvent(refusals)); !errors.Is(err, want) {
				t.Errorf("%d refusals: %v, want %v", refusals, err, want)
			}
			// Of the platform access token; at first of the grant too, whose token serves on.
			if n, want := w.signer.signatures.Load()-before, []int64{2, 1, 1}[refusals]; n != want {
				t.Errorf("%d refusals: %d signatures, want %d", refusals, n, want)
			}
			if left := len(w.sink.Faults()); left != 0 {
				t.Errorf("%d refusals: the request was not sent again", refusals)
			}
		}
	})
}

// User without a fallback is refused together with a queue, at start.
func TestUser_NeedsAFallbackForAQueue(t *testing.T) {
	t.Parallel()
	for _, source := range []altinn.Credentials{{Bearer: credentials.User(nil)}, {PlatformAccessToken: credentials.User(nil)}} {
		client, err := altinn.NewClient("https://platform.altinn.no", altinn.Config{Credentials: source})
		if err != nil {
			t.Fatal(err)
		}
		queue := outbox.NewMemory(outbox.Config{})
		_, err = publisher.New(client, publisher.Config{Queue: queue})
		if !errors.Is(err, credentials.ErrNoUserToken) {
			t.Errorf("New = %v, want ErrNoUserToken", err)
		}
		wantError(t, err, "publisher.New: ", "give User the service's own source")
		pub, err := publisher.New(client, publisher.Config{})
		if err != nil {
			t.Fatalf("without a queue: %v", err)
		}
		if err := errors.Join(pub.Close(t.Context()), queue.Close(t.Context())); err != nil {
			t.Error(err)
		}
	}
}

// A full run, through success and every failure, says no token and no key: not in a
// log, an error or a printed value.
func TestEndToEnd_SaysNoSecret(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var output lockedBuffer
		logger := slog.New(slog.NewTextHandler(&output, &slog.HandlerOptions{Level: slog.LevelDebug}))
		w := newWorld(t, logger, false)
		queued := newWorld(t, logger, true)
		var secrets []string
		see := func(token *oauth2.Token, err error) {
			if err != nil {
				fmt.Fprintf(&output, "%v %+v %#v\n", err, err, err)
				return
			}
			secrets = append(secrets, token.AccessToken)
		}
		for _, fault := range []testutil.Fault{
			{}, {Status: 400}, {Status: 401}, {Status: 403}, {Status: 429}, {Status: 500}, {Reset: true}, {Truncate: true}, {Hang: true},
		} {
			fault.Times = 2
			for _, endpoint := range []string{"/token", "/authentication"} {
				f := fault
				f.Endpoint = endpoint
				lift := w.service.Inject(f)
				see(w.exchange.Token())
				see(w.platform.TokenFor(t.Context(), "ttd", "apps-test"))
				see(w.platform.TokenFor(t.Context(), "ttd", "no such app"))
				lift()
			}
			w.sink.Inject(fault)
			queued.sink.Inject(fault)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if err := w.pub.Publish(ctx, newEvent(0)); err != nil {
				fmt.Fprintf(&output, "%v %+v %#v\n", err, err, err)
			}
			if err := queued.pub.Publish(ctx, newEvent(0)); err != nil {
				fmt.Fprintf(&output, "%v %+v %#v\n", err, err, err)
			}
			cancel()
			time.Sleep(10 * time.Minute)
			for _, world := range []*world{w, queued} {
				fmt.Fprintf(&output, "%v %+v %#v %v %+v\n", world.platform, world.exchange, world.exchange, world.sink.Faults(), world.pub.Queued())
				for _, r := range world.sink.Received() {
					secrets = append(secrets, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), r.Header.Get("PlatformAccessToken"))
				}
			}
			w.service.Inject(testutil.Fault{}) // does nothing
		}
		secrets = append(secrets, keyPEM(firstKey()), jwkOf(firstKey(), nil), firstKey().D.String())
		if len(secrets) < 20 || len(output.String()) < 1000 {
			t.Fatalf("%d secrets and %d bytes of output show nothing", len(secrets), len(output.String()))
		}
		for _, secret := range secrets {
			for part := range strings.SplitSeq(secret, ".") { // also not a part of a token
				if len(part) > 20 && strings.Contains(output.String(), part) {
					t.Fatalf("the output has a secret of %d characters", len(part))
				}
			}
		}
		if strings.Contains(output.String(), "eyJ") {
			t.Error("the output has the beginning of a token")
		}
	})
}

// lockedBuffer is a buffer for many goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// publishOne publishes an event with a publisher of its own.
func publishOne(t *testing.T, client *altinn.Client) error {
	t.Helper()
	pub, err := publisher.New(client, publisher.Config{})
	if err != nil {
		return err
	}
	return errors.Join(pub.Publish(t.Context(), newEvent(0)), pub.Close(t.Context()))
}
