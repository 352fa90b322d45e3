// Package middleware turns the requests of an Echo app into Altinn events:
//
//	e.Use(middleware.AppLifecycle(pub, app))
//
// From then on, what the App API's own routes do to an instance is published,
// with no code in the handlers. A handler says what no route tells:
//
//	if err := middleware.Emit(c, app.Event("app.instance.approved", instance)); err != nil {
//		return err
//	}
//	return c.JSON(http.StatusOK, instance)
//
// and one that has published in its own transaction says that, so that nothing
// is published twice:
//
//	middleware.Published(c)
//
// # Routes
//
// Routes are recognised by method and by the end of their template, at any group
// prefix and with parameters of any name: "PUT …/instances/:party/:guid/substatus".
// A rule speaks when its handler has returned nil and answered 2xx.
//
// AppLifecycle:
//
//	POST …/instances                              created, from the instance in the answer
//	POST …/instances/create                       the same
//	GET  …/legacy/instances/:/:/copy              created, on 302 too, from the end of Location
//	PUT  …/instances/:/:/process/next             movedTo.{task} or completed, from the process state
//	PUT  …/instances/:/:/process/completeProcess  the same
//	PUT  …/instances/:/:/substatus                substatus changed, from the instance in the answer
//
// Of the answer are read id and instanceOwner, or currentTask and endEvent, as
// models.Instance and models.ProcessState have them. Process states and copies do
// not tell the owner: set AppLifecycleConfig.Instance to look it up, or the event
// has no alternative subject. The steps that a process passes inside one request
// cannot be seen, so the rule publishes where it ends; a handler that emits the
// steps emits them all.
//
// BrokerLifecycle, from the route and the file transfer's state after the handler:
//
//	POST …/filetransfer                     filetransferinitialized
//	POST …/filetransfer/upload              filetransferinitialized, and what became of the upload
//	POST …/filetransfer/:/upload            UploadProcessing: uploadprocessing
//	                                        Published: published
//	                                        Failed: uploadfailed
//	POST, PATCH …/filetransfer/upload/tus/: the same; nothing while the upload goes on
//	POST …/filetransfer/:/confirmdownload   downloadconfirmed;
//	                                        AllConfirmedDownloaded: allconfirmeddownloaded, too
//
// Only the answers of the first two are read, for fileTransferId. What no such
// request causes is published from core logic with models.Broker's Events: after a
// malware scan, whose webhook names no file transfer in its answer, after a failed
// upload, and from the jobs that purge.
//
// # Guarantees
//
// One request, one voice. If a handler has emitted an event with the source that
// the rule's event would have, or called Published, the rule publishes nothing.
// Handler error, panic, 4xx and 5xx: nothing is published, emitted events neither.
// A client that has gone away changes nothing.
//
// Before the response, which is the default, not a byte of the answer leaves until
// the publisher has accepted the events: the answers of lifecycle routes, and of
// handlers that emit, are held, up to MaxResponseBytes. After the response nothing
// is held. What is lost when:
//
//	                          before, fail open     before, FailClosed      AfterResponse
//	event not accepted        201, event lost       500, event lost         201, event lost
//	answer does not tell it   201, event lost       500, event lost         201, event lost
//	crash before acceptance   no answer, event      no answer, event        perhaps 201, event
//	                          lost                  lost                    lost
//	crash after acceptance    kept as safely as the publisher's queue keeps it
//
// Failing open may thus answer 201 without an event; it is logged and told to
// ErrorHandler. Failing closed, the client does not see success, yet the handler's
// change stands: only an event that is written in the transaction of the change, with
// PublishTx and Published, cannot part from it.
//
// An answer is held as the handler writes it, and sent unchanged. The exceptions:
//
//   - A flush has the events accepted that are known by then, from the status and the
//     bytes so far, then sends. The same happens when the answer goes beyond
//     MaxResponseBytes. What the handler returns after that comes too late for them.
//   - Hijack is http.ErrNotSupported while the answer is held.
//   - A handler that has written a success and then returns an error has failed: what
//     is held is dropped, with the headers that were set since it was held, and Echo's
//     error handler answers. One that has written a failure keeps its answer.
//   - What Response().Before registers runs when the handler writes, and once more when
//     a held answer is dropped and another is written.
//
// On other routes everything passes as it comes: streaming, Flush, Hijack, deadlines.
// Emit there begins to hold, unless some of the answer is out; then, and with
// AfterResponse, the emitted events are published when the handler has returned.
//
// # Mounting
//
// Mount it with Use on the Echo, a group or a route; with Pre there is no route yet.
// Mount Recover, loggers and compression before it: an answer that is compressed inside
// is decoded if it is gzip or deflate, within MaxResponseBytes, and tells nothing
// otherwise. A middleware inside that replaces the response's writer needs Unwrap, or
// Emit and Published do not find the lifecycle.
//
// Echo's Timeout, which it has deprecated, drops what was written before an error: with
// it outside, a lifecycle that fails closed answers an empty 200. Use ContextTimeout.
//
// The events of a lifecycle are those of its App or Broker, whatever the parameters of
// a route say: where one Echo serves several apps, mount one on the group of each.
// Mounted twice around a route, the inner one is inert. AppLifecycle and
// BrokerLifecycle may both be mounted: the one that has a rule for a route serves it,
// with its own configuration, and the outer one serves Emit on the others.
//
// Everything is safe for concurrent use. No goroutine is started, and neither
// echo.Context nor the response is kept after the handler.
package middleware
