package inspector

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"path"
	"strings"
)

// AssetsPath is where the page's own files stand, below the page.
const AssetsPath = "/assets/"

// policy lets the page load and ask nothing but what the sink itself serves, and
// run no script that stands in the document.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

//go:embed assets
var assets embed.FS

var pageTemplate = template.Must(template.ParseFS(assets, "assets/page.html"))

// PageConfig says what differs between pages.
type PageConfig struct {
	// Unmasked says that the sink masks nothing, so that the page need not offer
	// to show it.
	Unmasked bool
}

// Page returns the page, at "/", and its files below AssetsPath, for any prefix
// that was stripped: the URLs in it are relative.
func Page(cfg PageConfig) http.Handler {
	var page bytes.Buffer
	err := pageTemplate.Execute(&page, struct {
		PageConfig
		Types []string
	}{cfg, knownTypes()})
	if err != nil {
		panic(err) // the template is a part of the program
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Cache-Control", "no-cache")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			header.Set("Allow", "GET, HEAD")
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		if r.URL.Path == "/" {
			serveFile(w, r, page.Bytes(), ".html")
			return
		}
		name, ok := strings.CutPrefix(r.URL.Path, AssetsPath)
		file, err := assets.ReadFile("assets/" + name)
		if !ok || err != nil || name == "page.html" {
			http.NotFound(w, r)
			return
		}
		serveFile(w, r, file, path.Ext(name))
	})
}

// serveFile serves content that changes only with the program.
func serveFile(w http.ResponseWriter, r *http.Request, content []byte, ext string) {
	sum := sha256.Sum256(content)
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	mediaTypes := map[string]string{
		".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
		".svg": "image/svg+xml",
	}
	w.Header().Set("Content-Type", mediaTypes[ext])
	if r.Method != http.MethodHead {
		_, _ = w.Write(content) //nolint:gosec // embedded
	}
}
