package middleware

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/labstack/echo/v4"
)

// decode reads the members named names of the answer's JSON object into v. The
// answer is to be well-formed; where only its beginning is there, that is to
// have all of them.
//
// Its errors say what is wrong without quoting the answer.
func (x *exchange) decode(v any, names ...string) error {
	body, whole, err := x.unpack()
	if err != nil {
		return err
	}
	members, missing, err := project(body, names)
	switch {
	case errors.Is(err, errCut) && whole:
		return fmt.Errorf("%w: %w", ErrUndecided, err)
	case errors.Is(err, errCut) && missing > 0:
		return fmt.Errorf("%w: %d of %q are not in its first %d bytes", ErrUndecided, missing, names, len(body))
	case err != nil && !errors.Is(err, errCut):
		return fmt.Errorf("%w: %w", ErrUndecided, err)
	}
	if err := json.Unmarshal(members, v); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return fmt.Errorf("%w: %s is a JSON %s", ErrUndecided, wrong.Field, wrong.Value)
		}
		return fmt.Errorf("%w: %q have another shape", ErrUndecided, names)
	}
	return nil
}

// unpack returns the body without its content encoding, as much as there is of
// it and as the limit admits.
func (x *exchange) unpack() (body []byte, whole bool, err error) {
	var r io.Reader
	switch encoding := x.header.Get(echo.HeaderContentEncoding); encoding {
	case "", "identity":
		return x.body, x.whole, nil
	case "gzip":
		r, err = gzip.NewReader(bytes.NewReader(x.body))
	case "deflate":
		r, err = zlib.NewReader(bytes.NewReader(x.body))
		if errors.Is(err, zlib.ErrHeader) { // many send it without zlib's header
			r, err = flate.NewReader(bytes.NewReader(x.body)), nil
		}
	default:
		return nil, false, fmt.Errorf("%w: content encoding %q is not read here, mount compression before the lifecycle", ErrUndecided, encoding)
	}
	if err != nil {
		return nil, false, fmt.Errorf("%w: content encoding: %w", ErrUndecided, err)
	}
	body, err = io.ReadAll(io.LimitReader(r, int64(x.life.maxResponseBytes)))
	if err != nil && (x.whole || !errors.Is(err, io.ErrUnexpectedEOF)) {
		return nil, false, fmt.Errorf("%w: content encoding: %w", ErrUndecided, err)
	}
	return body, x.whole && len(body) < x.life.maxResponseBytes, nil
}
