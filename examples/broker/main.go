// Command broker is a small file service in the manner of Altinn Broker. Its
// routes become events through the lifecycle middleware; what a job does becomes
// an event through core logic.
//
//	go run ./examples/broker
//
// A file goes from one sender to two recipients, one of them confirms the
// download, and a job purges the file. The events that arrive at the sink, which
// stands for Altinn Events, are printed one to a line.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/labstack/echo/v4"

	"github.com/altinn-go/events/middleware"
	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/altinn"
	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/testutil"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "broker:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("broker", flag.ContinueOnError)
	flags.SetOutput(stderr)
	urn := flags.Bool("urn", false, "write events as today's Broker does: URN subjects, the role in data")
	flags.Usage = func() {
		fmt.Fprint(stderr, "Usage: broker [-urn]\n\n"+
			"Sends a file from one sender to two recipients and prints the events that arrive.\n\n")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}

	sink, err := testutil.StartSink(testutil.SinkConfig{})
	if err != nil {
		return err
	}
	defer sink.Close()
	client, err := altinn.NewClient(sink.URL(), altinn.Config{Credentials: sink.Credentials()})
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	pub, err := publisher.New(client, publisher.Config{Queue: outbox.NewMemory(outbox.Config{})})
	if err != nil {
		return err
	}

	service := newService(pub, models.Broker{PlatformURL: "https://platform.tt02.altinn.no", URNSubjects: *urn})
	err = errors.Join(
		transfer(ctx, service),
		pub.Close(ctx), // delivers everything
	)
	for _, ev := range sink.Events() {
		line, encodeErr := json.Marshal(ev)
		err = errors.Join(err, encodeErr)
		fmt.Fprintln(stdout, string(line))
	}
	return err
}

// newService returns the file service with its routes mounted.
func newService(pub *publisher.Publisher, broker models.Broker) *service {
	s := &service{Echo: echo.New(), pub: pub, broker: broker, transfers: map[string]models.FileTransfer{}}
	s.Use(middleware.BrokerLifecycle(pub, broker, s.lookup, partyID))
	api := s.Group("/broker/api/v1/filetransfer")
	api.POST("", s.initialize)
	api.POST("/:id/upload", s.upload)
	api.POST("/:id/confirmdownload", s.confirmDownload)
	return s
}

// transfer does what a sender, a recipient and a job do.
func transfer(ctx context.Context, s *service) error {
	body, err := s.post(ctx, "", `{"resourceId":"altinn-broker-test-resource-1","sender":"0192:991825827","recipients":["0192:986252933","0192:989271156"]}`)
	if err != nil {
		return err
	}
	var answer struct {
		ID string `json:"fileTransferId"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return err
	}
	if _, err := s.post(ctx, "/"+answer.ID+"/upload", "the file"); err != nil {
		return err
	}
	if _, err := s.post(ctx, "/"+answer.ID+"/confirmdownload?onBehalfOf=0192:986252933", ""); err != nil {
		return err
	}
	return s.purge(ctx, answer.ID)
}

// post makes a request of the service, in process.
func (s *service) post(ctx context.Context, path, body string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "/broker/api/v1/filetransfer"+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, req)
	if rec.Code >= http.StatusBadRequest {
		return nil, fmt.Errorf("POST %s: %d %s", path, rec.Code, rec.Body)
	}
	return rec.Body.Bytes(), nil
}
