package inspector_test

import (
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/altinn-go/events/testutil/inspector"
)

func get(tb testing.TB, page http.Handler, method, path string, header ...string) *http.Response {
	tb.Helper()
	r := httptest.NewRequest(method, "http://localhost"+path, http.NoBody)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	page.ServeHTTP(w, r)
	return w.Result()
}

func TestPage(t *testing.T) {
	t.Parallel()
	page := inspector.Page(inspector.PageConfig{})
	files, err := fs.Glob(os.DirFS("assets"), "*")
	if err != nil || len(files) < 5 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, path := range append(files, "") {
		mediaType := map[string]string{"": "text/html", "css": "text/css", "svg": "image/svg+xml", "js": "text/javascript"}[path[strings.LastIndexByte(path, '.')+1:]]
		target, status := inspector.AssetsPath+path, http.StatusOK
		switch path {
		case "":
			target = "/"
		case "page.html":
			status = http.StatusNotFound // a template
		}
		resp := get(t, page, http.MethodGet, target)
		if resp.StatusCode != status || status == 200 && !strings.HasPrefix(resp.Header.Get("Content-Type"), mediaType) {
			t.Errorf("%s: %s, %s", target, resp.Status, resp.Header.Get("Content-Type"))
		}
		if policy := resp.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy is %q", target, policy)
		}
		if status != http.StatusOK {
			continue
		}
		again := get(t, page, http.MethodGet, target, "If-None-Match", resp.Header.Get("ETag"))
		if body, _ := io.ReadAll(again.Body); again.StatusCode != http.StatusNotModified || len(body) != 0 {
			t.Errorf("%s: the same again is %s", target, again.Status)
		}
	}
	for path, status := range map[string]int{"/assets/": 404, "/assets/none.js": 404, "/assets/../page.go": 404, "/x": 404} {
		if resp := get(t, page, http.MethodGet, path); resp.StatusCode != status {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	if resp := get(t, page, http.MethodPost, "/"); resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") == "" {
		t.Errorf("POST: %s", resp.Status)
	}
	if resp := get(t, page, http.MethodHead, "/"); resp.StatusCode != http.StatusOK {
		t.Errorf("HEAD: %s", resp.Status)
	}
}

// TestPage_NothingFromElsewhere holds the files to what the policy lets them load,
// and to relative addresses.
func TestPage_NothingFromElsewhere(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(os.DirFS("assets"), "*")
	if err != nil {
		t.Fatal(err)
	}
	inline := regexp.MustCompile(`(?i)<script(?:[^>]*)>[^<]|\son[a-z]+=|style=|href="/|src="/|javascript:|innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(`)
	for _, file := range files {
		text, err := os.ReadFile("assets/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if found := inline.FindString(string(text)); found != "" && strings.HasSuffix(file, ".html") || found != "" && regexp.MustCompile(`HTML|write|eval|javascript:`).MatchString(found) {
			t.Errorf("%s has %q", file, found)
		}
		for _, url := range regexp.MustCompile(`https?://[^\s"'<>)]+`).FindAllString(string(text), -1) {
			if !strings.HasPrefix(url, "http://127.0.0.1") && !strings.HasPrefix(url, "https://example.com") && url != "http://www.w3.org/2000/svg" {
				t.Errorf("%s names %s", file, url)
			}
		}
	}
}

func TestPage_Unmasked(t *testing.T) {
	t.Parallel()
	for _, unmasked := range []bool{true, false} {
		resp := get(t, inspector.Page(inspector.PageConfig{Unmasked: unmasked}), http.MethodGet, "/")
		body, err := io.ReadAll(resp.Body)
		if want := `data-unmasked="` + map[bool]string{true: "true", false: "false"}[unmasked] + `"`; err != nil || !strings.Contains(string(body), want) {
			t.Errorf("the page has no %s", want)
		}
	}
}
