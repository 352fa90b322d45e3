package examples_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/altinn-go/events/middleware"
	"github.com/altinn-go/events/middleware/webhook"
	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/altinn"
	"github.com/altinn-go/events/publisher/credentials"
	"github.com/altinn-go/events/publisher/outbox/sqlite"
	"github.com/altinn-go/events/testutil"
)

// TestReadme holds the README's Go code to be a part of this file, which
// compiles.
func TestReadme(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("readme_test.go")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(readme, -1)
	if len(blocks) == 0 {
		t.Fatal("no Go code in the README")
	}
	for _, block := range blocks {
		if !strings.Contains(plain(source), plain(block[1])) {
			t.Errorf("the README has code that does not stand in readme_test.go:\n%s", block[1])
		}
	}
}

// plain is code without indentation and directives.
func plain(code []byte) string {
	return regexp.MustCompile(`(?m)^\t+| //nolint:.*$`).ReplaceAllString(string(code), "")
}

func subscribe(ctx context.Context, e *echo.Echo, client *altinn.Client, db *sql.DB, secret string) error {
	inbox, err := sqlite.NewInbox(db, sqlite.InboxConfig{}) // remembers what was done in the handler's own transaction
	if err != nil {
		return err
	}
	receiver, err := webhook.New(webhook.Config{Secrets: []string{secret}, Inbox: inbox})
	if err != nil {
		return err
	}
	receiver.On(models.TypeInstanceCreated, func(ctx context.Context, r webhook.Received) error {
		tx, _ := sqlite.InboxTx(ctx)
		_, err := tx.ExecContext(ctx, "INSERT INTO archive (instance) VALUES (?)", r.Instance.ResourceInstance())
		return err
	})
	e.POST("/events", receiver.Echo())

	plan, err := client.Ensure(ctx, altinn.EnsureConfig{}, altinn.Subscription{
		EndPoint:       "https://subscriber.example.com/events?code=" + url.QueryEscape(secret),
		ResourceFilter: models.AppResource("ttd", "apps-test"),
	})
	_ = plan
	return err
}

// TestReadme_Subscribing runs the README's code for subscribers.
func TestReadme_Subscribing(t *testing.T) {
	t.Parallel()
	e := echo.New()
	sink := testutil.NewSinkWithConfig(t, testutil.SinkConfig{WebhookTransport: inProcess{e}})
	client, err := altinn.NewClient("https://platform.altinn.no", altinn.Config{Credentials: sink.Credentials(), Transport: sink.Transport()})
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.OpenDB(filepath.Join(t.TempDir(), "app.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE archive (instance TEXT)"); err != nil {
		t.Fatal(err)
	}
	if err := subscribe(t.Context(), e, client, db, "a long and random secret"); err != nil {
		t.Fatal(err)
	}
	app := models.App{Org: "ttd", Name: "apps-test"}
	instance := models.Instance{ID: "50019855/428a4575-2c04-4400-89a3-1aaadd2579cd", InstanceOwner: models.InstanceOwner{PartyID: "50019855"}}
	if err := sink.Publisher(t).Publish(t.Context(), app.Created(instance)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	sink.EventuallyDelivered(ctx, t, "", testutil.Want{Type: models.TypeInstanceCreated})
	var archived string
	if err := db.QueryRowContext(t.Context(), "SELECT instance FROM archive").Scan(&archived); err != nil || archived != instance.ID {
		t.Errorf("archived %q, %v", archived, err)
	}
}

// TestReadme_Inspector runs the README's code for the inspector below a prefix.
func TestReadme_Inspector(t *testing.T) {
	t.Parallel()
	sink := testutil.NewSink(t)
	mux := http.NewServeMux()
	mux.Handle("/inspector/", http.StripPrefix("/inspector", sink.Inspector()))
	e := echo.New() // or with Echo
	e.Any("/inspector/*", echo.WrapHandler(http.StripPrefix("/inspector", sink.Inspector())))
	for _, handler := range []http.Handler{mux, e} {
		for _, path := range []string{"/inspector/", "/inspector/assets/app.js", "/inspector/_sink/requests"} {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
			if w.Code != http.StatusOK {
				t.Errorf("%T: GET %s: %d", handler, path, w.Code)
			}
		}
	}
}

// inProcess sends requests to a handler.
type inProcess struct{ handler http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	return w.Result(), nil
}

func mount(ctx context.Context, e *echo.Echo, logger *slog.Logger) error {
	client, err := altinn.NewClient("https://platform.tt02.altinn.no", altinn.Config{
		Credentials: altinn.Credentials{
			PlatformAccessToken: credentials.Static(os.Getenv("PLATFORM_ACCESS_TOKEN")),
			Bearer:              credentials.User(credentials.Static(os.Getenv("SERVICE_TOKEN"))),
		},
	})
	if err != nil {
		return err
	}
	db, err := sqlite.OpenDB("app.db") // the app's own tables live here too
	if err != nil {
		return err
	}
	queue, err := sqlite.New(db, sqlite.Config{})
	if err != nil {
		return err
	}
	pub, err := publisher.New(client, publisher.Config{Queue: queue, Logger: logger})
	if err != nil {
		return err
	}

	app := models.App{Org: "ttd", Name: "apps-test", BaseURL: "https://ttd.apps.tt02.altinn.no/ttd/apps-test"}
	e.Use(middleware.AppLifecycle(pub, app))

	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return errors.Join(pub.Close(drain), queue.Close(drain), db.Close())
}

func TestMount(t *testing.T) {
	t.Chdir(t.TempDir()) // for app.db
	if err := mount(t.Context(), echo.New(), slog.New(slog.DiscardHandler)); err != nil {
		t.Error(err)
	}
}

// change is a change of core logic and its event, in one transaction.
func change(ctx context.Context, db *sql.DB, queue *sqlite.Queue, instance models.Instance) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // as the README has it: after Commit there is nothing to roll back
	if _, err := tx.ExecContext(ctx, "UPDATE instances SET approved = 1 WHERE id = ?", instance.ID); err != nil {
		return err
	}
	if err := queue.PublishTx(ctx, tx, app.Event("app.instance.approved", instance)); err != nil {
		return err
	}
	return tx.Commit()
}

func TestChange(t *testing.T) {
	t.Parallel()
	db, err := sqlite.OpenDB(filepath.Join(t.TempDir(), "app.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE instances (id TEXT PRIMARY KEY, approved INTEGER)"); err != nil {
		t.Fatal(err)
	}
	queue, err := sqlite.New(db, sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	sink := testutil.NewSink(t)
	pub := sink.PublisherWithConfig(t, publisher.Config{Queue: queue})
	instance, _ := load(nil)
	if err := change(t.Context(), db, queue, instance); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	sink.Eventually(ctx, t, testutil.Want{Type: "app.instance.approved"})
	if err := errors.Join(pub.Close(ctx), queue.Close(ctx)); err != nil {
		t.Error(err)
	}
}

var app = models.App{Org: "ttd", Name: "apps-test"}

func load(echo.Context) (models.Instance, error) {
	return models.Instance{
		ID:            "50019855/428a4575-2c04-4400-89a3-1aaadd2579cd",
		InstanceOwner: models.InstanceOwner{PartyID: "50019855"},
	}, nil
}

func approve(c echo.Context) error {
	instance, err := load(c)
	if err != nil {
		return err
	}
	if err := middleware.Emit(c, app.Event("app.instance.approved", instance)); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, instance)
}

func newApp(pub *publisher.Publisher) *echo.Echo {
	e := echo.New()
	e.Use(middleware.AppLifecycle(pub, app))
	e.POST("/ttd/apps-test/instances", func(c echo.Context) error {
		instance, _ := load(c)
		return c.JSON(http.StatusCreated, instance)
	})
	e.POST("/approve", approve)
	return e
}

func TestApprove(t *testing.T) {
	t.Parallel()
	sink := testutil.NewSink(t)
	newApp(sink.Publisher(t)).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/approve", http.NoBody))
	sink.Require(t, testutil.Want{Type: "app.instance.approved"})
}

func TestCore(t *testing.T) {
	t.Parallel()
	sink := testutil.NewSink(t)
	fileTransfer := models.FileTransfer{
		ID: "da4ceacc-ad44-4e54-99b6-b58e3c13c785", ResourceID: "altinn-broker-test-resource-1",
		Sender: "0192:991825827", SenderPartyID: "50015641",
		Recipients: []models.Recipient{{Recipient: "0192:986252933", PartyID: "50015642"}},
	}
	if err := publish(t.Context(), sink.Publisher(t), fileTransfer); err != nil {
		t.Fatal(err)
	}
	sink.Require(t, testutil.Want{AlternativeSubject: "/organisation/991825827"})
	sink.Require(t, testutil.Want{AlternativeSubject: "/organisation/986252933"})
}

func publish(ctx context.Context, pub *publisher.Publisher, fileTransfer models.FileTransfer) error {
	broker := models.Broker{PlatformURL: "https://platform.altinn.no"}
	err := pub.Publish(ctx, broker.Events(models.TypeBrokerPublished, fileTransfer)...)
	return err
}

func TestCreate(t *testing.T) {
	sink := testutil.NewSink(t)
	app := newApp(sink.Publisher(t)) // no queue: what was answered has arrived

	app.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/ttd/apps-test/instances", nil))

	sink.Require(t, testutil.Want{Type: models.TypeInstanceCreated, Subject: "/party/50019855"})
}
