package models

import "strings"

const (
	resourcePrefix    = "urn:altinn:resource:"
	appResourcePrefix = resourcePrefix + "app_"
)

// Resource returns the URN of a resource in Altinn's resource registry:
// "urn:altinn:resource:{id}".
func Resource(id string) string { return resourcePrefix + id }

// ParseResource returns the id of a URN of the form
// "urn:altinn:resource:{id}". The error is a *ValidationError.
func ParseResource(urn string) (id string, err error) {
	id, ok := strings.CutPrefix(urn, resourcePrefix)
	if !ok || !IsResource(urn) {
		return "", invalid("resource", "resource", wantResource)
	}
	return id, nil
}

// AppResource returns the resource of an app,
// "urn:altinn:resource:app_{org}_{app}".
func AppResource(org, app string) string { return appResourcePrefix + org + "_" + app }

// ParseAppResource returns the org and the app that an app's resource names.
// No org has an underscore in its code. The error is a *ValidationError.
func ParseAppResource(urn string) (org, app string, err error) {
	id, _ := strings.CutPrefix(urn, appResourcePrefix)
	org, app, _ = strings.Cut(id, "_")
	if !IsAppResource(urn) || !isAppName(org) || !isAppName(app) {
		return "", "", invalid("resource", "resource", wantAppResource)
	}
	return org, app, nil
}

// IsAppResource reports whether resource is one of an app: whether it begins
// with "urn:altinn:resource:app_". Events with such a resource go to POST /app.
func IsAppResource(resource string) bool {
	return strings.HasPrefix(resource, appResourcePrefix)
}

// isResourceOf reports whether an app's resource names the app of source.
func isResourceOf(resource string, source AppSource) bool {
	n := len(appResourcePrefix)
	app, ok := strings.CutPrefix(resource[n:], source.Org)
	return ok && app != "" && app[0] == '_' && app[1:] == source.App
}

// IsResource reports whether s is a URN that POST /events takes as resource:
// "urn:" and a namespace of 1 to 30 characters of a-z, 0-9 and hyphen, then 1 to
// 10 segments, each after a colon, of 1 to 100 characters of a-z, 0-9 and
// ()+,.-;$_!/. All is lower case.
//
// Source: Altinn/altinn-events, UriExtensions.cs (2026-08).
func IsResource(s string) bool {
	rest, ok := strings.CutPrefix(s, "urn:")
	if !ok {
		return false
	}
	nid, rest, ok := strings.Cut(rest, ":")
	if !ok || len(nid) == 0 || len(nid) > 30 || !namespace.has(nid) {
		return false
	}
	segments := 0
	for segment := range strings.SplitSeq(rest, ":") {
		segments++
		if len(segment) == 0 || len(segment) > 100 || !urnSegment.has(segment) {
			return false
		}
	}
	return segments <= 10
}
