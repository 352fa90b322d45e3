package testutil_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/testutil"
)

// The official JavaScript SDK posts, and reads what is pushed.
func TestSink_JavaScriptSDK(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("testdata/js/node_modules/cloudevents"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("the JavaScript SDK is not installed: npm ci in testutil/testdata/js")
		}
		t.Skip("the JavaScript SDK is not installed: npm ci in testutil/testdata/js")
	}
	sink := openSink(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "interop.mjs")
	cmd.Dir = "testdata/js"
	cmd.Env = append(os.Environ(), "EVENTS_URL="+sink.URL())
	out, err := cmd.Output()
	if err != nil {
		stderr := ""
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			stderr = string(exit.Stderr)
		}
		t.Fatalf("node: %v\n%s", err, stderr)
	}
	var received []struct {
		ID       string `json:"id"`
		Type     string `json:"type"`
		Source   string `json:"source"`
		Subject  string `json:"subject"`
		Resource string `json:"resource"`
		Error    string `json:"error"`
		Data     any    `json:"data"`
	}
	if err := json.Unmarshal(out, &received); err != nil || len(received) != 2 {
		t.Fatalf("%v in %s", err, out)
	}
	if v := received[0]; v.Type != "platform.events.validatesubscription" || v.Error != "" {
		t.Errorf("validation as the SDK read it: %+v", v)
	}
	data, err := json.Marshal(received[1].Data)
	if err != nil {
		t.Fatal(err)
	}
	if e := received[1]; e.ID != "js-1" || e.Subject != "/party/1337" || e.Resource != "urn:altinn:resource:interop" ||
		string(data) != `{"list":[1,2.5,null],"text":"\u003cæøå\u003e"}` {
		t.Errorf("event as the SDK read it: %+v", e)
	}
	sink.Require(t, testutil.Want{ID: "js-1", Type: "test.interop", ResourceInstance: "1"})
}

// The client of the Go SDK posts.
func TestSink_GoSDK(t *testing.T) {
	t.Parallel()
	sink := testutil.NewSink(t)
	client, err := cloudevents.NewClientHTTP(
		cehttp.WithTarget(sink.URL()+"/events/api/v1/events"), cehttp.WithClient(*socketClient(t)),
		cehttp.WithHeader("Authorization", mint(t, sink, testutil.TokenUser)))
	if err != nil {
		t.Fatal(err)
	}
	ev := cloudevents.NewEvent()
	ev.SetID("go-1")
	ev.SetType("test.interop")
	ev.SetSource("https://example.com/go")
	ev.SetExtension(models.ExtResource, "urn:altinn:resource:interop")
	if err := ev.SetData(cloudevents.ApplicationJSON, map[string]string{"a": "b"}); err != nil {
		t.Fatal(err)
	}
	result := client.Send(cloudevents.WithEncodingStructured(t.Context()), ev)
	if status, ok := errors.AsType[*cehttp.Result](result); !ok || status.StatusCode != http.StatusOK {
		t.Fatalf("Send = %v", result)
	}
	if got := sink.Require(t, testutil.Want{ID: "go-1"}); string(got.Data()) != `{"a":"b"}` {
		t.Errorf("data is %s", got.Data())
	}
}
