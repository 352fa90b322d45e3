package inspector

import (
	"bytes"
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

var (
	// secretName is in the names of headers whose values open something.
	secretName = regexp.MustCompile(`(?i)auth|token|secret|key|cookie|signature|passw|credential|session`)

	// harmlessNames are those in which it means nothing, in lower case.
	harmlessNames = map[string]bool{"idempotency-key": true, "sec-websocket-key": true}

	// scheme stands before credentials.
	scheme = regexp.MustCompile(`(?i)^(?:Basic|Bearer|Digest|DPoP|Negotiate) +`)

	// tokenText is a JWT, or other JSON in Base64, wherever it stands: "eyJ" is how
	// {" begins, and the others a brace and white space.
	tokenText = regexp.MustCompile(`(?:eyJ|\be(?:yA|w[0ko]))[\w+/-]{6,}=*(?:\.[\w+/-]*=*)*`)

	// secretText is a part of a secret.
	secretText = regexp.MustCompile(`[^\s,;"']+`)
)

// Headers returns the headers of a request by name. Of what opens something, which
// it tells by the name of the header, it keeps the length, and of JWTs, wherever
// they are, what they say.
func Headers(header http.Header, mask *Mask) []Header {
	shown := []Header{}
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			shown = append(shown, newHeader(name, value, mask))
		}
	}
	return shown
}

func newHeader(name, value string, mask *Mask) Header {
	h := Header{Name: mask.Text(name)}
	lower := strings.ToLower(name)
	isSecret := secretName.MatchString(lower) && !harmlessNames[lower]
	show := func(text string) string { return h.show(text, isSecret, mask) }
	switch {
	case lower == "cookie" || lower == "set-cookie":
		cookies := strings.Split(value, ";")
		for i, cookie := range cookies {
			name, secret, _ := strings.Cut(cookie, "=")
			if strings.Trim(secret, "=") == "" { // padding of Base64
				name, secret = "", cookie
			} else {
				name += "="
			}
			cookies[i] = name + show(secret)
		}
		value = strings.Join(cookies, ";")
	case isSecret:
		before := scheme.FindString(value)
		value = before + show(value[len(before):])
	default:
		value = show(value)
	}
	h.Value = mask.Text(value)
	return h
}

// show returns text without the tokens in it, which it takes apart, and without the
// rest if that is secret.
func (h *Header) show(text string, isSecret bool, mask *Mask) string {
	var b strings.Builder
	for text != "" {
		at := tokenText.FindStringIndex(text)
		if at == nil {
			at = []int{len(text), len(text)}
		}
		before, found := text[:at[0]], text[at[0]:at[1]]
		if isSecret {
			before = secretText.ReplaceAllStringFunc(before, hidden)
		}
		b.WriteString(before)
		if token, ok := decodeToken(found, mask); ok {
			h.Tokens = append(h.Tokens, token)
			b.WriteString("eyJ… (token, decoded below)")
		} else if found != "" {
			b.WriteString(hidden(found))
		}
		text = text[at[1]:]
	}
	return b.String()
}

func hidden(secret string) string { return fmt.Sprintf("… (%d characters, not shown)", len(secret)) }

// timeClaim is a claim that is a time, which looks like a number of somebody's.
var timeClaim = regexp.MustCompile(`^  "(exp|iat|nbf|auth_time)": \d{10},?$`)

// decodeToken takes a JWT apart.
func decodeToken(text string, mask *Mask) (Token, bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 2 && len(parts) != 3 {
		return Token{}, false
	}
	var decoded [2][]byte
	for i := range decoded {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || !json.Valid(raw) || len(raw) == 0 || bytes.TrimSpace(raw)[0] != '{' {
			return Token{}, false
		}
		decoded[i] = raw
	}
	t := Token{Header: prettyClaims(decoded[0], mask), Claims: prettyClaims(decoded[1], mask)}
	var claims struct {
		Expires float64 `json:"exp"`
	}
	if json.Unmarshal(decoded[1], &claims) == nil && claims.Expires > 0 && claims.Expires < 1<<40 {
		t.Expires = new(time.Unix(int64(claims.Expires), 0).UTC())
	}
	return t, true
}

// prettyClaims is Pretty of what is masked, but for times.
func prettyClaims(raw []byte, mask *Mask) Exact {
	masked := Mask{Off: mask.Off}
	lines := strings.Split(string(Pretty(masked.JSON(raw))), "\n")
	for i, line := range strings.Split(string(Pretty(raw)), "\n") { // the same members
		if timeClaim.MatchString(line) {
			lines[i] = line
		}
		mask.Masked = mask.Masked || lines[i] != line
	}
	return Exact(strings.Join(lines, "\n"))
}

// tokenVariables are what the shell is to put in place of the headers that hold
// secrets.
var tokenVariables = map[string]string{
	"Authorization":             "Bearer $TOKEN",
	"Platformaccesstoken":       "$PLATFORM_ACCESS_TOKEN",
	"Ocp-Apim-Subscription-Key": "$SUBSCRIPTION_KEY",
}

// maxArgument bounds what is given to curl as a word: Linux takes 128 KiB. The
// printf of a shell has no bound.
const maxArgument = 64 << 10

// Curl returns the shell command that sends a request again, with variables in
// place of its secrets. The body is masked as mask says.
func Curl(method, url string, header http.Header, body Exact, mask *Mask) string {
	var b strings.Builder
	text := string(mask.Body(body))
	encoded, _ := Exact(text).MarshalJSON()
	isLong := len(text) > maxArgument
	isText := len(encoded) > 0 && encoded[0] == '"' && !strings.Contains(text, "\x00")
	switch {
	case isText && isLong:
		fmt.Fprintf(&b, "printf %%s %s | ", quoteShell(text))
	case !isText:
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
	case !isText || isLong:
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
