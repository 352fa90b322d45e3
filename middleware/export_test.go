package middleware

// Project is project.
func Project(data []byte, names ...string) (members []byte, missing int, err error) {
	return project(data, names)
}

// ErrCut is errCut.
var ErrCut = errCut

// Matches reports whether a rule with the given tail is about a route template.
func Matches(tail, template string) bool {
	return (&rule{tail: tail}).matches(template)
}
