package altinn

import "net/http"

// NewTransport is the transport of clients that are given none.
func NewTransport() *http.Transport { return newTransport() }

// NewResponseError decodes an answer to POST /app, without secrets to remove.
func NewResponseError(status int, header http.Header, reply []byte) *ResponseError {
	return newResponseError(&operation{name: "POST /app"}, &http.Response{StatusCode: status, Header: header}, reply, nil)
}

// ParseRetryAfter reads a Retry-After header.
var ParseRetryAfter = parseRetryAfter

// AppOf returns org and app of a source.
var AppOf = appOf
