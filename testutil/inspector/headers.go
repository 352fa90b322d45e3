package inspector

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Header is one header of a request, as the page shows it.
type Header struct {
	Name string `json:"name"`
	// Value is without what would let somebody else use it.
	Value string `json:"value"`
	// Tokens are the JWTs in it, taken apart.
	Tokens []Token `json:"tokens,omitempty"`
}

// Token is a JWT without its signature.
type Token struct {
	// Header and Claims are indented JSON.
	Header Exact `json:"header"`
	Claims Exact `json:"claims"`
	// Expires is the claim "exp"; nil if it has none.
	Expires *time.Time `json:"expires,omitempty"`
}

// secretHeaders are those whose values open something.
var secretHeaders = map[string]bool{
	"Authorization": true, "Proxy-Authorization": true, "Cookie": true, "Platformaccesstoken": true,
	"Ocp-Apim-Subscription-Key": true, "X-Api-Key": true,
}

// Headers returns the headers of a request by name. Of tokens and keys it keeps the
// length, and of JWTs what they say.
func Headers(header http.Header, mask *Mask) []Header {
	shown := []Header{}
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			h := Header{Name: mask.Text(name)}
			words := strings.Fields(value)
			for i, word := range words {
				// A cookie is name=value; a token may stand in any header.
				prefix, secret, isPair := strings.Cut(word, "=")
				if !isPair || strings.Contains(prefix, ".") || secret == "" {
					prefix, secret = "", word
				} else {
					prefix += "="
				}
				token, isToken := decodeToken(strings.TrimSuffix(secret, ";"), mask)
				switch {
				case isToken:
					h.Tokens = append(h.Tokens, token)
					words[i] = prefix + "eyJ… (token, decoded below)"
				case secretHeaders[name] && !isScheme(i, words):
					words[i] = fmt.Sprintf("%s… (%d characters, not shown)", prefix, len(secret))
				default:
					words[i] = mask.Text(word)
				}
			}
			h.Value = mask.Text(strings.Join(words, " "))
			shown = append(shown, h)
		}
	}
	return shown
}

// isScheme reports whether a word is the name of a scheme before credentials.
func isScheme(i int, words []string) bool {
	return i == 0 && len(words) > 1 && (strings.EqualFold(words[0], "Bearer") || strings.EqualFold(words[0], "Basic"))
}

// timeClaim is a claim that is a time, which looks like a number of somebody's.
var timeClaim = regexp.MustCompile(`^  "(exp|iat|nbf|auth_time)": \d{10},?$`)

// decodeToken takes a JWT apart.
func decodeToken(text string, mask *Mask) (Token, bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return Token{}, false
	}
	var decoded [2]Exact
	for i := range decoded {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || !json.Valid(raw) || len(raw) == 0 || raw[0] != '{' {
			return Token{}, false
		}
		lines := strings.Split(string(Pretty(raw)), "\n")
		for j, line := range lines {
			if !timeClaim.MatchString(line) {
				lines[j] = mask.Text(line)
			}
		}
		decoded[i] = Exact(strings.Join(lines, "\n"))
	}
	t := Token{Header: decoded[0], Claims: decoded[1]}
	var claims struct {
		Expires float64 `json:"exp"`
	}
	raw, _ := base64.RawURLEncoding.DecodeString(parts[1])
	if json.Unmarshal(raw, &claims) == nil && claims.Expires > 0 && claims.Expires < 1<<40 {
		t.Expires = new(time.Unix(int64(claims.Expires), 0).UTC())
	}
	return t, true
}

// tokenVariables are what the shell is to put in place of the headers that hold
// secrets.
var tokenVariables = map[string]string{
	"Authorization":             "Bearer $TOKEN",
	"Platformaccesstoken":       "$PLATFORM_ACCESS_TOKEN",
	"Ocp-Apim-Subscription-Key": "$SUBSCRIPTION_KEY",
}

// Curl returns the shell command that sends a request again, with variables in
// place of its secrets. The body is masked as mask says.
func Curl(method, url string, header http.Header, body Exact, mask *Mask) string {
	var b strings.Builder
	text := mask.Text(string(body))
	encoded, _ := Exact(text).MarshalJSON()
	isText := len(encoded) > 0 && encoded[0] == '"' && !strings.Contains(text, "\x00")
	if !isText {
		fmt.Fprintf(&b, "printf %%s %s | base64 -d | ", quoteShell(base64.StdEncoding.EncodeToString([]byte(text))))
	}
	fmt.Fprintf(&b, "curl -X %s %s", quoteShell(method), quoteShell(mask.Text(url)))
	for _, name := range slices.Sorted(maps.Keys(header)) {
		switch name {
		case "Accept-Encoding", "Content-Length", "User-Agent", "Connection", "Host", "Cookie", "Traceparent", "Accept":
			continue
		}
		if variable, ok := tokenVariables[name]; ok {
			fmt.Fprintf(&b, " \\\n  -H \"%s: %s\"", name, variable)
			continue
		}
		for _, h := range Headers(http.Header{name: header[name]}, mask) {
			fmt.Fprintf(&b, " \\\n  -H %s", quoteShell(h.Name+": "+h.Value))
		}
	}
	switch {
	case !isText:
		b.WriteString(" \\\n  --data-binary @-")
	case text != "":
		fmt.Fprintf(&b, " \\\n  --data-raw %s", quoteShell(text))
	}
	return b.String()
}

// quoteShell quotes a word for a POSIX shell, if it has to be.
func quoteShell(word string) string {
	safe := word != "" && !strings.ContainsFunc(word, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_./:@%+,", c)
	})
	if safe {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
