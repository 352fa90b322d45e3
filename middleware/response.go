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

	"github.com/altinn-go/events/models"
)

// decode reads the members named names of the answer's JSON object into v.
//
// Its errors say what is wrong without quoting the answer.
func (x *exchange) decode(v any, names ...string) error {
	members, err := x.members(names)
	if err != nil {
		return err
	}
	return unmarshal(members, v, names)
}

// instanceMembers are the members of an answered instance that events follow from.
var instanceMembers = []string{"id", "instanceOwner"}

// instance reads the instance that the answer is.
func (x *exchange) instance() (models.Instance, error) {
	members, err := x.members(instanceMembers)
	if err != nil {
		return models.Instance{}, err
	}
	instance, ok := readInstance(members)
	if !ok {
		var decoded models.Instance
		err = unmarshal(members, &decoded, instanceMembers)
		instance = decoded
	}
	if err == nil && instance.ID == "" {
		err = fmt.Errorf("%w: it has no id of an instance", ErrUndecided)
	}
	return instance, err
}

// members returns a JSON object of the members named names of the answer's, in what
// room is left behind the answer. The answer is to be well-formed; where only its
// beginning is there, that is to have all of them.
func (x *exchange) members(names []string) ([]byte, error) {
	body, whole, err := x.unpack()
	if err != nil {
		return nil, err
	}
	members, missing, err := project(body[len(body):], body, names)
	switch {
	case errors.Is(err, errCut) && whole:
		return nil, fmt.Errorf("%w: %w", ErrUndecided, err)
	case errors.Is(err, errCut) && missing > 0:
		return nil, fmt.Errorf("%w: %d of %q are not in its first %d bytes", ErrUndecided, missing, names, len(body))
	case err != nil && !errors.Is(err, errCut):
		return nil, fmt.Errorf("%w: %w", ErrUndecided, err)
	}
	return members, nil
}

func unmarshal(members []byte, v any, names []string) error {
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
