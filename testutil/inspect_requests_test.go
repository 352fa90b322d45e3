package testutil_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/altinn-go/events/testutil"
)

func TestInspector_Request(t *testing.T) {
	t.Parallel()
	sink := testutil.NewSink(t)
	req := newPost(t.Context(), t, appBody)
	user, platform := mint(t, sink, testutil.TokenUser), mint(t, sink, testutil.TokenPlatform)
	req.Header.Set("Authorization", user)
	req.Header.Set("PlatformAccessToken", platform)
	resp, err := sink.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()

	status, masked := call(t, sink, "GET", "requests/1", "")
	_, open := call(t, sink, "GET", "requests/1?reveal=1", "")
	if status != http.StatusOK || strings.Contains(masked, "01017512345") || !strings.Contains(masked, `"masked":true`) {
		t.Errorf("masked: %d %s", status, masked)
	}
	if !strings.Contains(open, "/person/01017512345") || !strings.Contains(open, `"masked":false`) {
		t.Errorf("in open: %s", open)
	}
	for _, token := range []string{user, platform} {
		for _, part := range strings.Split(strings.TrimPrefix(token, "Bearer "), ".")[1:] { // of the first many are alike
			if strings.Contains(open, part) {
				t.Errorf("a part of a token is in %s", open)
			}
		}
	}
	for _, path := range []string{"requests/2", "requests/x", "requests/-1"} {
		for _, method := range []string{"GET", "DELETE"} {
			if status, _ := call(t, sink, method, path, ""); status != http.StatusNotFound {
				t.Errorf("%s %s: %d", method, path, status)
			}
		}
	}
}

func TestInspector_Unmask(t *testing.T) {
	t.Parallel()
	sink := testutil.NewSinkWithConfig(t, testutil.SinkConfig{Auth: testutil.AuthOff, Unmask: true})
	mustPost(t, sink, "/app", appBody)
	if _, body := call(t, sink, "GET", "requests/1", ""); !strings.Contains(body, "/person/01017512345") {
		t.Errorf("synthetic data is masked: %s", body)
	}
}

func TestInspector_Related(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	for _, eventType := range []string{"app.instance.created", "app.instance.process.completed"} {
		mustPost(t, sink, "/app", strings.Replace(appBody, "app.instance.created", eventType, 1))
		mustPost(t, sink, "/app", strings.Replace(appBody, "428a4575", "00000000", 1)) // another instance
	}
	postEvent(t, sink, "e1")
	postEvent(t, sink, "e1")
	var got struct {
		Timeline, Arrivals []struct {
			Number int
			Type   string
		}
	}
	_, body := call(t, sink, "GET", "requests/3", "")
	if err := json.Unmarshal([]byte(body), &got); err != nil || len(got.Timeline) != 2 || //nolint:musttag // its members match without case
		got.Timeline[0].Number != 1 || got.Timeline[1].Type != "app.instance.process.completed" || len(got.Arrivals) != 1 {
		t.Errorf("%v: the instance has %+v", err, got)
	}
	_, body = call(t, sink, "GET", "requests/6", "")
	if err := json.Unmarshal([]byte(body), &got); err != nil || len(got.Arrivals) != 2 || got.Arrivals[0].Number != 5 { //nolint:musttag // its members match without case
		t.Errorf("%v: the event came %+v", err, got.Arrivals)
	}
}

func TestInspector_Forward(t *testing.T) {
	t.Parallel()
	bodies := make(chan string, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- string(body)
		w.WriteHeader(http.StatusTeapot)
	}))
	defer receiver.Close()
	sink := openSink(t)
	postEvent(t, sink, "e1")
	if _, _, err := post(t.Context(), sink.Client(), "http://sink", "/app", `{}`); err != nil {
		t.Fatal(err)
	}
	status, body := call(t, sink, "POST", "requests/1/forward", `{"url":"`+receiver.URL+`"}`)
	if status != http.StatusOK || !strings.Contains(body, `"status":418`) || !strings.Contains(<-bodies, `"id":"e1"`) {
		t.Errorf("forward: %d %s", status, body)
	}
	if _, body := call(t, sink, "POST", "requests/1/forward", `{"url":"http://elsewhere.example/"}`); !strings.Contains(body, "held back") {
		t.Errorf("another machine: %s", body)
	}
	for url, want := range map[string]int{"requests/1": 400, "requests/2": 409} {
		body := map[int]string{400: `{"url":"ftp://127.0.0.1/"}`, 409: `{"url":"http://127.0.0.1/"}`}[want]
		if status, _ := call(t, sink, "POST", url+"/forward", body); status != want {
			t.Errorf("%s of %s: %d, want %d", body, url, status, want)
		}
	}
}

// What is masked in the body is masked in what is made of it too, and stays JSON.
func TestInspector_MasksBeforeIndenting(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	const data = `{"l":["010175","12345"],"m":[0,1,0,1,7,5,1,2,3,4,5],"n":1017512345}`
	mustPost(t, sink, "/events", strings.TrimSuffix(brokerBody, "}")+`,"data":`+data+`}`)
	if resp, _, err := post(t.Context(), sink.Client(), "http://sink", "/app", data); err != nil || resp.StatusCode != http.StatusBadRequest {
		t.Fatalf("%v, %v", resp, err)
	}
	for _, path := range []string{"requests/1", "requests/2"} {
		var got struct{ Pretty, Raw, Curl string }
		decode(t, mustCall(t, sink, "GET", path, ""), &got)
		for name, text := range map[string]string{"pretty": got.Pretty, "raw": got.Raw} {
			if !json.Valid([]byte(text)) || strings.Contains(text, "12345") || strings.Contains(text, "5,") || !strings.Contains(text, `"**********"`) {
				t.Errorf("%s: %s is %s", path, name, text)
			}
		}
		if strings.Contains(got.Curl, "12345") || !strings.Contains(got.Curl, `"n":"**********"`) {
			t.Errorf("%s: curl is %s", path, got.Curl)
		}
	}
}

// The command names where the API is, and the query of what was refused.
func TestInspector_CurlAddress(t *testing.T) {
	t.Parallel()
	refused := func(cfg testutil.SinkConfig) *testutil.Sink {
		cfg.Auth = testutil.AuthOff
		sink := testutil.NewSinkWithConfig(t, cfg)
		if _, _, err := get(t, sink, "/app/party?after=x&unit=987564321"); err != nil {
			t.Fatal(err)
		}
		if w := inspect(t, sink.Handler(), "POST", "/hook?code=secret", http.NoBody); w.Code != http.StatusNotFound {
			t.Fatal(w.Code)
		}
		return sink
	}
	listening := refused(testutil.SinkConfig{})
	listening.URL()
	for _, tt := range []struct {
		sink    *testutil.Sink
		handler func(*testutil.Sink) http.Handler
		want    string
	}{
		{refused(testutil.SinkConfig{}), (*testutil.Sink).Handler, "http://example.com"}, // which is httptest's
		{refused(testutil.SinkConfig{}), (*testutil.Sink).Inspector, "http://127.0.0.1:5080"},
		{listening, (*testutil.Sink).Inspector, listening.URL()},
		{refused(testutil.SinkConfig{BaseURL: "https://events.example.com/"}), (*testutil.Sink).Inspector, "https://events.example.com"},
	} {
		var got struct{ Curl string }
		decode(t, inspect(t, tt.handler(tt.sink), "GET", "/_sink/requests/1", http.NoBody).Body.String(), &got)
		if want := tt.want + "/events/api/v1/app/party?after=x&unit=*********"; !strings.Contains(got.Curl, "'"+want+"'") {
			t.Errorf("%s, want %s", got.Curl, want)
		}
		var list struct{ API string }
		if decode(t, inspect(t, tt.handler(tt.sink), "GET", "/_sink/requests", http.NoBody).Body.String(), &list); list.API != tt.want {
			t.Errorf("the page is told to post to %s, want %s", list.API, tt.want)
		}
		answer := inspect(t, tt.handler(tt.sink), "GET", "/_sink/requests/2?reveal=1", http.NoBody).Body.String()
		if decode(t, answer, &got); !strings.Contains(got.Curl, tt.want+"/hook") || strings.Contains(answer, "secret") {
			t.Errorf("%s, want %s/hook", answer, tt.want)
		}
	}
}

// Of a body that is too long the page learns how long it was.
func TestInspector_CutBody(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	body := strings.Repeat("x", 2_000_000)
	if resp, _, err := post(t.Context(), sink.Client(), "http://sink", "/app", body); err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Fatalf("%v, %v", resp, err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/events/api/v1/app", io.MultiReader(strings.NewReader(body)))
	sink.Handler().ServeHTTP(httptest.NewRecorder(), r) // says nothing of its length
	mustPost(t, sink, "/app", appBody)
	for number, want := range []struct {
		bytes int64
		cut   bool
	}{{2_000_000, true}, {1<<20 + 1, true}, {int64(len(appBody)), false}} {
		var got struct {
			Bytes int64
			Cut   bool
		}
		decode(t, mustCall(t, sink, "GET", fmt.Sprintf("requests/%d", number+1), ""), &got)
		if got.Bytes != want.bytes || got.Cut != want.cut {
			t.Errorf("%d: %+v, want %+v", number+1, got, want)
		}
	}
}
