package models

import (
	"net/url"
	"strings"
)

// AppSource is what the source of an app's event names.
type AppSource struct {
	// Org and App are the first two parts of the path.
	Org, App string
	// Party and Instance are the party id and the GUID of the instance; both
	// are empty if the source is of no instance.
	Party, Instance string
}

// ParseAppSource reads the source of an app's event, an absolute http or https
// URL with the path "/{org}/{app}", "/{org}/{app}/…" or
// "/{org}/{app}/instances/{party}/{guid}[/…]". Org and app are in lower case.
// The error is a *ValidationError.
//
// Source: Altinn/altinn-events, AppCloudEventExtensions.cs (2026-08), which
// takes the instance from any path of five parts or more.
func ParseAppSource(source string) (AppSource, error) {
	u, err := url.Parse(source)
	if err != nil || !isWebURL(u) {
		return AppSource{}, invalid("source", "source", wantSource)
	}
	s, _, _, ok := splitAppPath(rawPath(u))
	if !ok {
		return AppSource{}, invalid("source", "source", wantAppSource)
	}
	return s, nil
}

// Resource returns the app's resource, "urn:altinn:resource:app_{org}_{app}".
func (s AppSource) Resource() string { return AppResource(s.Org, s.App) }

// ResourceInstance returns "{party}/{guid}", or nothing if the source is of no
// instance.
func (s AppSource) ResourceInstance() string {
	if s.Instance == "" {
		return ""
	}
	return s.Party + "/" + s.Instance
}

// splitAppPath splits the path of an app's source. It is not ok if the path is
// none, or if it begins like an instance's and goes on otherwise. The instance is
// "{party}/{guid}", the rest what follows it, or the app if there is none.
func splitAppPath(path string) (s AppSource, instance, rest string, ok bool) {
	rest, ok = strings.CutPrefix(path, "/")
	if !ok {
		return AppSource{}, "", "", false
	}
	s.Org, rest = cutSegment(rest)
	s.App, rest = cutSegment(rest)
	if !isAppName(s.Org) || !isAppName(s.App) {
		return AppSource{}, "", "", false
	}
	instance, ok = strings.CutPrefix(rest, "instances/")
	switch {
	case rest == "instances":
		return AppSource{}, "", "", false
	case !ok:
		return s, "", rest, true
	}
	s.Party, rest = cutSegment(instance)
	s.Instance, rest = rest[:min(len(rest), guidLength)], rest[min(len(rest), guidLength):]
	if !SubjectParty.hasDigits(s.Party) || !isGUID(s.Instance) || rest != "" && rest[0] != '/' {
		return AppSource{}, "", "", false
	}
	return s, instance[:len(instance)-len(rest)], rest, true
}

// cutSegment returns what is before the first slash of path and what is after it.
// Segments are short, for which a loop costs a third of strings.Cut.
func cutSegment(path string) (segment, rest string) {
	for i := range len(path) {
		if path[i] == '/' {
			return path[:i], path[i+1:]
		}
	}
	return path, ""
}

// rawPath returns the path as it stands in the URL where escapes in it matter.
func rawPath(u *url.URL) string {
	if u.RawPath != "" {
		return u.EscapedPath() // RawPath, unless that is no encoding of Path
	}
	return u.Path
}

// isWebURL reports whether u is an absolute http or https URL with a host and
// without user information, which subscribers must not see.
func isWebURL(u *url.URL) bool {
	return (u.Scheme == "https" || u.Scheme == "http") &&
		u.Host != "" && u.Host[0] != ':' && u.Opaque == "" && u.User == nil
}

// isPlainURL reports whether u.String() is scheme, host and path as they are, and none
// of them needs escaping. The path may be known not to.
func isPlainURL(u *url.URL, plain bool) bool {
	return u.RawPath == "" && u.RawQuery == "" && !u.ForceQuery && u.Fragment == "" && u.RawFragment == "" &&
		plainHost.has(u.Host) && (plain || strings.HasPrefix(u.Path, "/") && plainPath.has(u.Path))
}

// setURL writes s to u. What is no URL leaves u empty, which Validate refuses.
func setURL(u *url.URL, s string) {
	if plainURL(u, s) {
		return
	}
	if parsed, err := url.Parse(s); err == nil {
		*u = *parsed
	}
}

// plainURL is url.Parse for the common case, a scheme, a host without a port
// and a path without escapes, at a fraction of the cost. It is false in any other
// case.
func plainURL(u *url.URL, s string) bool {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || scheme != "https" && scheme != "http" {
		return false
	}
	slash := strings.IndexByte(rest, '/')
	if slash < 0 || !plainHost.has(rest[:slash]) || !plainPath.has(rest[slash:]) {
		return false
	}
	u.Scheme, u.Host, u.Path = scheme, rest[:slash], rest[slash:]
	return true
}
