package testutil_test

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/altinn-go/events/testutil"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew")

// TestConformance posts the request of every golden case, in process and over a
// socket, and compares the answer and what is stored afterwards.
func TestConformance(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("golden cases: %v, %v", paths, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(strings.TrimPrefix(filepath.ToSlash(path), "testdata/"), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(archive.Comment), "\nSource: ") {
				t.Error("the case names no source")
			}
			files := map[string]string{}
			for _, f := range archive.Files {
				files[f.Name] = string(f.Data)
			}
			var got map[string]string
			synctest.Test(t, func(t *testing.T) { got = runCase(t, files, false) })
			if *update {
				archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool {
					return f.Name != "config" && !strings.HasPrefix(f.Name, "request")
				})
				for _, name := range slices.SortedFunc(maps.Keys(got), byNumber) {
					archive.Files = append(archive.Files, txtar.File{Name: name, Data: []byte(got[name])})
				}
				if err := os.WriteFile(path, txtar.Format(archive), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			for _, f := range archive.Files {
				if f.Name != "config" && !strings.HasPrefix(f.Name, "request") && got[f.Name] == "" && len(f.Data) > 0 {
					t.Errorf("nothing became %q", f.Name)
				}
			}
			for name, text := range got {
				if diff := cmp.Diff(files[name], text); diff != "" {
					t.Errorf("in process: %s (-want +got):\n%s", name, diff)
				}
			}
			if strings.Contains(string(txtar.Format(archive)), "\nWAIT ") {
				return // virtual time has no sockets
			}
			for name, text := range runCase(t, files, true) {
				if diff := cmp.Diff(files[name], text); diff != "" {
					t.Errorf("socket: %s (-want +got):\n%s", name, diff)
				}
			}
		})
	}
}

// caseConfig is the sink of a case: JSON of what SinkConfig has.
type caseConfig struct {
	Auth      testutil.AuthMode     `json:"auth"`
	Parties   []testutil.Party      `json:"parties"`
	Policy    []testutil.PolicyRule `json:"policy"`
	Lag       string                `json:"lag"`
	HTTPSOnly bool                  `json:"httpsOnly"`
}

// webhooks answers pushes: with the status that the path ends with, or 200.
type webhooks struct{}

func (webhooks) RoundTrip(r *http.Request) (*http.Response, error) {
	status, err := strconv.Atoi(path.Base(r.URL.Path))
	if err != nil {
		status = http.StatusOK
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// runCase sends the requests of a case to a sink of its own, and returns its
// answers, what it stored and, in virtual time, what it pushed.
func runCase(t *testing.T, files map[string]string, socket bool) map[string]string {
	t.Helper()
	var cc caseConfig
	if text := files["config"]; text != "" {
		if err := json.Unmarshal([]byte(text), &cc); err != nil {
			t.Fatal(err)
		}
	}
	cfg := testutil.SinkConfig{
		Auth: cc.Auth, Parties: cc.Parties, Policy: cc.Policy, HTTPSOnly: cc.HTTPSOnly,
		BaseURL: "https://platform.altinn.no", WebhookTransport: webhooks{},
	}
	if cc.Lag != "" {
		var err error
		if cfg.VisibilityLag, err = time.ParseDuration(cc.Lag); err != nil {
			t.Fatal(err)
		}
	}
	sink := testutil.NewSinkWithConfig(t, cfg)
	client, base := sink.Client(), "https://platform.altinn.no"
	if socket {
		client, base = socketClient(t), sink.URL()
	}
	got := map[string]string{}
	for _, name := range slices.SortedFunc(maps.Keys(files), byNumber) {
		number, ok := strings.CutPrefix(name, "request")
		if !ok {
			continue
		}
		if wait, ok := strings.CutPrefix(files[name], "WAIT "); ok {
			d, err := time.ParseDuration(strings.TrimSpace(wait))
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(d)
			continue
		}
		got["answer"+number] = send(t, sink, client, base, files[name])
		if !socket {
			synctest.Wait()
		}
		for socket && !sink.PushesIdle() {
			runtime.Gosched()
		}
	}
	got["stored"] = stored(t, sink)
	if pushed := pushed(sink); !socket && pushed != "" {
		got["pushed"] = pushed
	}
	return got
}

// byNumber orders "request", "request 2" and "request 10" so.
func byNumber(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// send sends one request of a case and returns the answer.
func send(t *testing.T, sink *testutil.Sink, client *http.Client, base, text string) string {
	t.Helper()
	head, body, _ := strings.Cut(text, "\n\n")
	lines := bufio.NewScanner(strings.NewReader(head))
	lines.Scan()
	method, path, _ := strings.Cut(lines.Text(), " ")
	req, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(expand(t, sink, body)))
	if err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), ": ")
		if !ok {
			t.Fatalf("%q is no header", lines.Text())
		}
		req.Header.Add(name, expand(t, sink, value))
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}

	var b strings.Builder
	b.WriteString(resp.Status + "\n")
	for _, name := range []string{"Content-Type", "Location", "Next"} {
		if value := resp.Header.Get(name); value != "" {
			b.WriteString(name + ": " + normalise(value, true) + "\n")
		}
	}
	if len(answer) > 0 {
		b.WriteString("\n" + normalise(string(answer), true) + "\n")
	}
	return b.String()
}

// pushed is what the sink has pushed, a line for each attempt and its body.
func pushed(sink *testutil.Sink) string {
	var lines []string
	deliveries := sink.Deliveries()
	for i := range deliveries {
		d := &deliveries[i]
		id := d.Event.ID()
		if len(id) == len("00000000-0000-4000-8000-000000000001") {
			id = "{uuid}"
		}
		lines = append(lines, fmt.Sprintf("%s %s to %d %s: attempt %d, %d", d.Event.Type(), id, d.Subscription, d.Endpoint, d.Attempt, d.Status))
	}
	slices.Sort(lines)
	return strings.Join(append(lines, ""), "\n")
}

// stored is what the sink has stored, one indented event after the other.
func stored(t *testing.T, sink *testutil.Sink) string {
	t.Helper()
	var b strings.Builder
	received := sink.Received()
	for i := range received {
		r := &received[i]
		text, err := json.Marshal(r.Event)
		if err != nil {
			t.Fatal(err)
		}
		var members map[string]any
		if err := json.Unmarshal(text, &members); err != nil {
			t.Fatal(err)
		}
		if text, err = json.MarshalIndent(members, "", "  "); err != nil {
			t.Fatal(err)
		}
		b.WriteString(normalise(string(text), r.Endpoint == "/app") + "\n")
	}
	return b.String()
}

var generated = []struct {
	pattern     *regexp.Regexp
	replacement string
}{
	{regexp.MustCompile(`"traceId":"00-[0-9a-f]{32}-[0-9a-f]{16}-00"`), `"traceId":"{trace id}"`},
	{regexp.MustCompile(`^"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"$`), `"{uuid}"`},
	{regexp.MustCompile(`"id":"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"`), `"id":"{uuid}"`},
	{regexp.MustCompile(`after=[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), `after={uuid}`},
	{regexp.MustCompile(`"time":"(2000|202\d|2[1-9]\d\d)-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?Z"`), `"time":"{now}"`},
	{regexp.MustCompile(`"id": "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"`), `"id": "{uuid}"`},
	{regexp.MustCompile(`"created":"[^"]*"`), `"created":"{now}"`},
	{regexp.MustCompile(`"time": "\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?Z"`), `"time": "{now}"`},
}

// normalise replaces what the sink makes up, if it was to.
func normalise(text string, madeUp bool) string {
	if !madeUp {
		return text
	}
	for _, g := range generated {
		text = g.pattern.ReplaceAllString(text, g.replacement)
	}
	return text
}

var placeholder = regexp.MustCompile(`\{(user|platform|bytes)( [^}]*)?\}`)

// expand replaces the placeholders of a case: {user}, {user expired},
// {user claim=word,word;claim=}, {platform org/app}, {bytes n} and the like.
func expand(t *testing.T, sink *testutil.Sink, text string) string {
	t.Helper()
	return placeholder.ReplaceAllStringFunc(text, func(found string) string {
		kind, arg, _ := strings.Cut(strings.Trim(found, "{}"), " ")
		if kind == "bytes" {
			var n int
			if err := json.Unmarshal([]byte(arg), &n); err != nil {
				t.Fatal(err)
			}
			return strings.Repeat(" ", n)
		}
		if arg == "unlimited" {
			return unlimitedToken(t)
		}
		token, err := sink.Token(tokenSpec(testutil.TokenKind(kind), arg))
		if err != nil {
			t.Fatal(err)
		}
		return token
	})
}

func tokenSpec(kind testutil.TokenKind, arg string) testutil.TokenSpec {
	spec := testutil.TokenSpec{Kind: kind}
	switch arg {
	case "":
	case "expired":
		spec.ExpiresIn = -time.Minute
	case "late":
		spec.ExpiresIn = -5 * time.Second
	case "anonymous":
		spec.Claims = map[string]any{}
	default:
		spec.Claims = map[string]any{}
		if org, app, ok := strings.Cut(arg, "/"); ok {
			spec.Claims["iss"], spec.Claims["urn:altinn:app"] = org, app
			break
		}
		for claim := range strings.SplitSeq(arg, ";") {
			name, words, _ := strings.Cut(claim, "=")
			spec.Claims[name] = strings.ReplaceAll(words, ",", " ")
		}
	}
	return spec
}

// unlimitedToken is a token that never expires, which the sink does not mint.
func unlimitedToken(t *testing.T) string {
	t.Helper()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"urn:altinn:userid": "1"}).SignedString([]byte("key"))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// socketClient returns a client of its own connections, closed with the test.
func socketClient(tb testing.TB) *http.Client {
	tb.Helper()
	transport := &http.Transport{}
	tb.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}
