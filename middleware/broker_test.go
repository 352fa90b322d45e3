package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/altinn-go/events/middleware"
	"github.com/altinn-go/events/models"
)

const (
	transferID = "da4ceacc-ad44-4e54-99b6-b58e3c13c785"
	sender     = "989271156"
	recipient1 = "991825827"
	recipient2 = "312508729"
)

// transfer is a file transfer to two recipients, the first of which has
// confirmed.
func transfer(status string) models.FileTransfer {
	return models.FileTransfer{
		ID:         transferID,
		ResourceID: "altinn-broker-test-resource-1",
		Status:     status,
		Sender:     "0192:" + sender,
		Recipients: []models.Recipient{
			{Recipient: "urn:altinn:organization:identifier-no:" + recipient1, Status: models.RecipientDownloadConfirmed},
			{Recipient: "0192:" + recipient2, Status: models.RecipientInitialized},
		},
	}
}

// parties are the party ids of organisations.
func parties(_ context.Context, number string) (string, error) {
	id, ok := map[string]string{sender: "1", recipient1: "2", recipient2: "3"}[number]
	if !ok {
		return "", fmt.Errorf("no party has a number of %d digits", len(number))
	}
	return id, nil
}

// brokerSetup mounts cfg with a recorder, and a Lookup that finds ft.
func brokerSetup(t *testing.T, cfg middleware.BrokerLifecycleConfig, ft models.FileTransfer) *bundle {
	t.Helper()
	b := &bundle{Echo: echo.New(), pub: &recorder{}}
	cfg.Publisher = b.pub
	cfg.Broker.PlatformURL = "https://platform.tt02.altinn.no"
	if cfg.Lookup == nil {
		cfg.Lookup = func(_ context.Context, id string) (models.FileTransfer, error) {
			if id != transferID {
				t.Errorf("looked up %s", id)
			}
			return ft, nil
		}
	}
	if cfg.PartyID == nil {
		cfg.PartyID = parties
	}
	cfg.ErrorHandler = func(err error, _ echo.Context) error {
		b.observed = append(b.observed, err)
		return nil
	}
	b.Use(middleware.BrokerLifecycleWithConfig(cfg))
	api := b.Group("/broker/api/v1/filetransfer")
	api.POST("", serve(200, `{"fileTransferId":"`+transferID+`"}`))
	api.POST("/upload", serve(200, `{"fileTransferId":"`+transferID+`"}`))
	api.POST("/:id/upload", serve(200, `{"fileTransferId":"`+transferID+`"}`))
	noContent := func(c echo.Context) error { return c.NoContent(204) }
	api.POST("/upload/tus/:tusFileId", noContent)
	api.PATCH("/upload/tus/:tusFileId", noContent)
	api.POST("/:id/confirmdownload", noContent)
	api.GET("/:id/download", noContent)
	return b
}

// What each party is told, in the documented shape.
func told(eventType string, numbers ...string) []string {
	var said []string
	for _, n := range numbers {
		id, _ := parties(context.Background(), n)
		said = append(said, eventType+" /party/"+id+" /organisation/"+n)
	}
	return said
}

func TestBrokerLifecycle_Routes(t *testing.T) {
	t.Parallel()
	const (
		root    = "/broker/api/v1/filetransfer"
		upload  = root + "/" + transferID + "/upload"
		tus     = root + "/upload/tus/" + transferID
		confirm = root + "/" + transferID + "/confirmdownload"
	)
	initialized := told(models.TypeBrokerFileTransferInitialized, sender)
	processing := told(models.TypeBrokerUploadProcessing, sender)
	published := told(models.TypeBrokerPublished, sender, recipient1, recipient2)
	failed := told(models.TypeBrokerUploadFailed, sender)
	confirmed := told(models.TypeBrokerDownloadConfirmed, sender, recipient1)
	all := told(models.TypeBrokerAllConfirmedDownloaded, sender)
	for _, tc := range []struct {
		name, method, target, status string
		want                         []string
		fault                        string
	}{
		{"Initialized", "POST", root, models.FileTransferInitialized, initialized, ""},
		{"InitializedAndPublished", "POST", root + "/upload", models.FileTransferPublished, slices.Concat(initialized, published), ""},
		{"InitializedAndProcessing", "POST", root + "/upload", models.FileTransferUploadProcessing, slices.Concat(initialized, processing), ""},
		{"InitializedAndStuck", "POST", root + "/upload", models.FileTransferUploadStarted, nil, `"UploadStarted"`},
		{"Processing", "POST", upload, models.FileTransferUploadProcessing, processing, ""},
		{"Published", "POST", upload, models.FileTransferPublished, published, ""},
		{"Failed", "POST", upload, models.FileTransferFailed, failed, ""},
		{"UploadWithoutEnd", "POST", upload, models.FileTransferUploadStarted, nil, `"UploadStarted"`},
		{"UploadOfAnUnknownState", "POST", upload, "", nil, `""`},
		{"TusBegins", "POST", tus, models.FileTransferUploadStarted, nil, ""},
		{"TusBeginsBeforeItIsStarted", "POST", tus, models.FileTransferInitialized, nil, ""},
		{"TusGoesOn", "PATCH", tus, models.FileTransferUploadStarted, nil, ""},
		{"TusEnds", "PATCH", tus, models.FileTransferUploadProcessing, processing, ""},
		{"TusCreationWithUploadEnds", "POST", tus, models.FileTransferPublished, published, ""},
		{"TusOfPurged", "PATCH", tus, models.FileTransferPurged, nil, `"Purged"`},
		{"Confirmed", "POST", confirm, models.FileTransferPublished, confirmed, ""},
		{"AllConfirmed", "POST", confirm, models.FileTransferAllConfirmedDownloaded, slices.Concat(confirmed, all), ""},
		{"Download", "GET", root + "/" + transferID + "/download", models.FileTransferPublished, nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := brokerSetup(t, middleware.BrokerLifecycleConfig{}, transfer(tc.status))
			b.do(tc.method, tc.target)
			equal(t, b.pub.said(), tc.want)
			faulty(t, b.observed, tc.fault)

			first := slices.Clone(b.pub.events)
			b.do(tc.method, tc.target)
			for i, ev := range first {
				if again := b.pub.events[len(first)+i]; again.ID() != ev.ID() || ev.ID() == "" {
					t.Errorf("the ids of a repeat are %s and %s", ev.ID(), again.ID())
				}
			}
		})
	}
}

func TestBrokerLifecycle_Lookups(t *testing.T) {
	t.Parallel()
	const (
		root    = "/broker/api/v1/filetransfer"
		confirm = root + "/" + transferID + "/confirmdownload"
		upload  = root + "/" + transferID + "/upload"
	)
	errLookup := errors.New("lookup is down")

	t.Run("RecipientNamesWhoConfirms", func(t *testing.T) {
		t.Parallel()
		b := brokerSetup(t, middleware.BrokerLifecycleConfig{
			Recipient: func(c echo.Context) (string, error) { return c.Request().Header.Get("X-Caller"), nil },
		}, transfer(models.FileTransferPublished))
		b.Pre(func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c echo.Context) error {
				c.Request().Header.Set("X-Caller", recipient2)
				return next(c)
			}
		})
		b.do(http.MethodPost, confirm)
		equal(t, b.pub.said(), told(models.TypeBrokerDownloadConfirmed, sender, recipient2))
	})
	t.Run("UnknownRecipient", func(t *testing.T) {
		t.Parallel()
		b := brokerSetup(t, middleware.BrokerLifecycleConfig{
			Recipient: func(echo.Context) (string, error) { return "0192:" + organisation, nil },
		}, transfer(models.FileTransferPublished))
		b.do(http.MethodPost, confirm)
		equal(t, b.pub.said(), nil)
		faulty(t, b.observed, "no recipient")
	})
	t.Run("RecipientFails", func(t *testing.T) {
		t.Parallel()
		b := brokerSetup(t, middleware.BrokerLifecycleConfig{
			Recipient: func(echo.Context) (string, error) { return "", errLookup },
		}, transfer(models.FileTransferPublished))
		b.do(http.MethodPost, confirm)
		faulty(t, b.observed, errLookup.Error())
	})
	t.Run("NobodyHasConfirmed", func(t *testing.T) {
		t.Parallel()
		ft := transfer(models.FileTransferPublished)
		ft.Recipients = ft.Recipients[1:]
		b := brokerSetup(t, middleware.BrokerLifecycleConfig{}, ft)
		b.do(http.MethodPost, confirm)
		equal(t, b.pub.said(), nil)
		faulty(t, b.observed, "no recipient")
	})
	t.Run("LookupFails", func(t *testing.T) {
		t.Parallel()
		for _, target := range []string{root, root + "/upload", upload, root + "/upload/tus/" + transferID, confirm} {
			b := brokerSetup(t, middleware.BrokerLifecycleConfig{
				Lookup: func(context.Context, string) (models.FileTransfer, error) { return models.FileTransfer{}, errLookup },
			}, models.FileTransfer{})
			b.do(http.MethodPost, target)
			equal(t, b.pub.said(), nil)
			faulty(t, b.observed, errLookup.Error())
		}
	})
	t.Run("PartyIDFails", func(t *testing.T) {
		t.Parallel()
		ft := transfer(models.FileTransferPublished)
		ft.Recipients[1].Recipient = "0192:" + organisation
		for _, target := range []string{upload, root + "/upload"} {
			b := brokerSetup(t, middleware.BrokerLifecycleConfig{}, ft)
			b.do(http.MethodPost, target)
			equal(t, b.pub.said(), nil)
			faulty(t, b.observed, "no party")
		}
	})
	t.Run("OnlyWhoIsToldIsLookedUp", func(t *testing.T) {
		t.Parallel()
		var asked []string
		ft := transfer(models.FileTransferPublished)
		b := brokerSetup(t, middleware.BrokerLifecycleConfig{
			PartyID: func(ctx context.Context, number string) (string, error) {
				asked = append(asked, number)
				return parties(ctx, number)
			},
		}, ft)
		b.do(http.MethodPost, confirm)
		b.do(http.MethodPost, root)
		if !slices.Equal(asked, []string{sender, recipient1, sender}) {
			t.Errorf("asked for the parties of %q", asked)
		}
		if ft.Recipients[0].PartyID != "" {
			t.Error("what Lookup returned was changed")
		}
	})
	t.Run("KnownPartiesAreNotLookedUp", func(t *testing.T) {
		t.Parallel()
		ft := transfer(models.FileTransferPublished)
		ft.SenderPartyID, ft.Recipients[0].PartyID = "17", "18"
		b := brokerSetup(t, middleware.BrokerLifecycleConfig{
			PartyID: func(context.Context, string) (string, error) { return "", errLookup },
		}, ft)
		b.do(http.MethodPost, confirm)
		equal(t, b.pub.said(), []string{
			models.TypeBrokerDownloadConfirmed + " /party/17 /organisation/" + sender,
			models.TypeBrokerDownloadConfirmed + " /party/18 /organisation/" + recipient1,
		})
	})
	t.Run("URNSubjectsNeedNoParty", func(t *testing.T) {
		t.Parallel()
		b := brokerSetup(t, middleware.BrokerLifecycleConfig{
			Broker:  models.Broker{URNSubjects: true},
			PartyID: func(context.Context, string) (string, error) { return "", errLookup },
		}, transfer(models.FileTransferUploadProcessing))
		b.do(http.MethodPost, upload)
		equal(t, b.pub.said(), []string{models.TypeBrokerUploadProcessing + " urn:altinn:organization:identifier-no:" + sender})
	})
	t.Run("IDIsTheRoutes", func(t *testing.T) {
		t.Parallel()
		ft := transfer(models.FileTransferUploadProcessing)
		ft.ID = ""
		b := brokerSetup(t, middleware.BrokerLifecycleConfig{}, ft)
		b.do(http.MethodPost, upload)
		if got := b.pub.events[0].Extensions()[models.ExtResourceInstance]; got != transferID {
			t.Errorf("resource instance is %v", got)
		}
	})
}

func TestBrokerLifecycle_Undecided(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ body, fault string }{
		"NoJSON":     {"created", "malformed JSON"},
		"NoID":       {`{"id":"x"}`, "no fileTransferId"},
		"Malformed":  {`{"fileTransferId":"` + transferID + `"`, "JSON ends"},
		"IDIsNumber": {`{"fileTransferId":17}`, "fileTransferId is a JSON number"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, path := range []string{"/v2/filetransfer", "/v2/filetransfer/upload"} {
				b := brokerSetup(t, middleware.BrokerLifecycleConfig{}, transfer(models.FileTransferPublished))
				b.POST(path, serve(200, tc.body))
				b.do(http.MethodPost, path)
				equal(t, b.pub.said(), nil)
				faulty(t, b.observed, tc.fault)
			}
		})
	}
}

func TestBrokerLifecycle_EmittedEventsSilenceTheRule(t *testing.T) {
	t.Parallel()
	b := brokerSetup(t, middleware.BrokerLifecycleConfig{
		Lookup: func(context.Context, string) (models.FileTransfer, error) {
			return models.FileTransfer{}, errors.New("not needed")
		},
	}, models.FileTransfer{})
	ft := transfer(models.FileTransferPublished)
	b.POST("/v2/filetransfer/:id/upload", func(c echo.Context) error {
		own := models.Broker{PlatformURL: "https://platform.tt02.altinn.no", URNSubjects: true}
		return middleware.Emit(c, own.Events(models.TypeBrokerUploadProcessing, ft)...)
	})
	b.do(http.MethodPost, "/v2/filetransfer/"+transferID+"/upload")
	equal(t, b.pub.types(), []string{models.TypeBrokerUploadProcessing})
	faulty(t, b.observed, "")
}

func TestBrokerLifecycleConfig_ToMiddleware(t *testing.T) {
	t.Parallel()
	lookup := func(context.Context, string) (models.FileTransfer, error) { return models.FileTransfer{}, nil }
	for _, tc := range []struct {
		name   string
		cfg    middleware.BrokerLifecycleConfig
		faults []string
	}{
		{"Zero", middleware.BrokerLifecycleConfig{}, []string{"Publisher is nil", "PlatformURL", "Lookup is nil", "PartyID is nil"}},
		{"Settings", middleware.BrokerLifecycleConfig{
			Publisher: queueing{&recorder{}, false}, Broker: models.Broker{PlatformURL: "https://platform.altinn.no"}, Lookup: lookup, PartyID: parties,
			AfterResponse: true, FailClosed: true, PublishTimeout: -2, MaxResponseBytes: -2,
		}, []string{"AfterResponse needs", "FailClosed", "PublishTimeout", "MaxResponseBytes"}},
		{"URNSubjects", middleware.BrokerLifecycleConfig{
			Publisher: &recorder{}, Broker: models.Broker{PlatformURL: "https://platform.altinn.no", URNSubjects: true}, Lookup: lookup,
		}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			mw, err := tc.cfg.ToMiddleware()
			checkFaults(t, err, mw, "BrokerLifecycleConfig", tc.faults)
		})
	}
	t.Run("BrokerLifecyclePanics", func(t *testing.T) {
		t.Parallel()
		defer func() {
			if err, ok := recover().(error); !ok || !strings.Contains(err.Error(), "Lookup is nil") {
				t.Errorf("panicked with %v", err)
			}
		}()
		middleware.BrokerLifecycle(&recorder{}, models.Broker{PlatformURL: "https://platform.altinn.no"}, nil, nil)
	})
}
