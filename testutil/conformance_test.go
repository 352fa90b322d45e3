package testutil_test

import (
	"bufio"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
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
			got := runCase(t, files, false)
			if *update {
				archive.Files = keep(archive.Files, "config", "request")
				archive.Files = append(archive.Files,
					txtar.File{Name: "answer", Data: []byte(got["answer"])},
					txtar.File{Name: "stored", Data: []byte(got["stored"])})
				if err := os.WriteFile(path, txtar.Format(archive), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			for transport, got := range map[string]map[string]string{"in process": got, "socket": runCase(t, files, true)} {
				for _, name := range []string{"answer", "stored"} {
					if diff := cmp.Diff(files[name], got[name]); diff != "" {
						t.Errorf("%s: %s (-want +got):\n%s", transport, name, diff)
					}
				}
			}
		})
	}
}

func keep(files []txtar.File, names ...string) []txtar.File {
	return slices.DeleteFunc(files, func(f txtar.File) bool { return !slices.Contains(names, f.Name) })
}

// runCase sends the request of a case to a sink of its own and returns its answer
// and what it stored.
func runCase(t *testing.T, files map[string]string, socket bool) map[string]string {
	t.Helper()
	var cfg testutil.SinkConfig
	if auth, ok := strings.CutPrefix(strings.TrimSpace(files["config"]), "auth: "); ok {
		cfg.Auth = testutil.AuthMode(auth)
	}
	sink := testutil.NewSinkWithConfig(t, cfg)
	client, base := sink.Client(), "https://platform.altinn.no"
	if socket {
		client, base = socketClient(t), sink.URL()
	}

	head, body, _ := strings.Cut(files["request"], "\n\n")
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
	for _, name := range []string{"Content-Type", "Location"} {
		if value := resp.Header.Get(name); value != "" {
			b.WriteString(name + ": " + value + "\n")
		}
	}
	if len(answer) > 0 {
		b.WriteString("\n" + normalise(string(answer), true) + "\n")
	}
	return map[string]string{"answer": b.String(), "stored": stored(t, sink)}
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
	{regexp.MustCompile(`"id": "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"`), `"id": "{uuid}"`},
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
