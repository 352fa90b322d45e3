package examples_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/altinn-go/events/middleware"
	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/altinn"
	"github.com/altinn-go/events/publisher/outbox"
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
		if !strings.Contains(unindent(source), unindent(block[1])) {
			t.Errorf("the README has code that does not stand in readme_test.go:\n%s", block[1])
		}
	}
}

func unindent(text []byte) string {
	return regexp.MustCompile(`(?m)^\t+`).ReplaceAllString(string(text), "")
}

func mount(ctx context.Context, e *echo.Echo, creds altinn.Credentials, queue outbox.Queue, logger *slog.Logger) error {
	client, err := altinn.NewClient("https://platform.tt02.altinn.no", altinn.Config{Credentials: creds})
	if err != nil {
		return err
	}
	pub, err := publisher.New(client, publisher.Config{Queue: queue, Logger: logger})
	if err != nil {
		return err
	}
	defer pub.Close(ctx) // drains within ctx, keeps the rest

	app := models.App{Org: "ttd", Name: "apps-test", BaseURL: "https://ttd.apps.tt02.altinn.no/ttd/apps-test"}
	e.Use(middleware.AppLifecycle(pub, app))
	return nil
}

func TestMount(t *testing.T) {
	t.Parallel()
	if err := mount(t.Context(), echo.New(), altinn.Credentials{}, outbox.NewMemory(outbox.Config{}), slog.New(slog.DiscardHandler)); err != nil {
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
