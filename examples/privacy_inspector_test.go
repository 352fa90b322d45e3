package examples_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// inspectorAsks is what the inspector's page asks for, with a number where somebody may
// type one. Only what is asked for in clear, one event at a time, may have a number.
func inspectorAsks() []string {
	number := url.QueryEscape(planted[0])
	return []string{
		"", "_sink/requests", "_sink/requests?limit=1000", "_sink/requests?text=" + number, "_sink/requests?subject=" + number, "_sink/requests?limit=" + number,
		"_sink/requests?before=" + number, "_sink/requests/" + number, "_sink/subscriptions", "_sink/subscriptions/" + number, "_sink/faults", "_sink/samples",
		"_sink/export", "_sink/export?limit=" + number, "_sink/nonsense",
	}
}

// Links in pages and numbers of things in answers, both relative to the page.
var (
	linked   = regexp.MustCompile(`(?:href|src)="([^"#?:]+)"|(?:from|import) "\./([^"]+)"`)
	numbered = regexp.MustCompile(`"(number|id)":"?([0-9]+)[",}]`)
)

// crawl notes page, assets, answers and stream of the inspector at base, which ends in a
// slash, and returns how many of them there were.
func crawl(t *testing.T, out *outputs, base string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	asks := inspectorAsks()
	seen := map[string]bool{"_sink/events": true} // the control API's, which has events as they are
	for len(asks) > 0 {
		ask := asks[0]
		asks = asks[1:]
		if seen[ask] {
			continue
		}
		seen[ask] = true
		text := fetch(ctx, t, http.MethodGet, base+ask, "", readAll)
		fmt.Fprintf(out.at("inspector"), "%.6s…\n%s\n", ask, text)
		for _, found := range linked.FindAllStringSubmatch(text, -1) {
			if found[2] != "" {
				found[1] = "assets/" + found[2]
			}
			asks = append(asks, found[1])
		}
		list, _, _ := strings.Cut(ask, "?")
		if list == "_sink/requests" || list == "_sink/subscriptions" {
			for _, found := range numbered.FindAllStringSubmatch(text, -1) {
				asks = append(asks, list+"/"+found[2])
			}
		}
	}
	for ask, body := range map[string]string{
		"_sink/import":  `{"receivedAt":"` + planted[0] + `"}`,
		"_sink/samples": `{"type":"` + planted[0] + `"}`,
		"_sink/faults":  `{"endpoint":"/` + planted[0] + `","retryAfter":"` + planted[1] + `"}`,
	} {
		fmt.Fprintln(out.at("inspector"), fetch(ctx, t, http.MethodPost, base+ask, body, readAll))
	}
	stream := fetch(ctx, t, http.MethodGet, base+"_sink/stream", "", func(body io.Reader) (string, error) {
		for lines := bufio.NewReader(body); ; {
			line, err := lines.ReadString('\n')
			if err != nil || strings.HasPrefix(line, "data:") {
				return line, err
			}
		}
	})
	fmt.Fprintln(out.at("inspector"), stream)
	return len(seen)
}

func readAll(body io.Reader) (string, error) {
	text, err := io.ReadAll(body)
	return string(text), err
}

func fetch(ctx context.Context, t *testing.T, method, address, body string, read func(io.Reader) (string, error)) string {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := read(resp.Body)
	if err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	return text
}
