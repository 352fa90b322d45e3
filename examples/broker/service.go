package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
)

// service is the file service: its core logic knows of events only where no
// request tells them.
type service struct {
	*echo.Echo
	pub    *publisher.Publisher
	broker models.Broker

	mu        sync.Mutex
	transfers map[string]models.FileTransfer
}

// lookup is what the lifecycle middleware asks for the parties and the state of
// a file transfer.
func (s *service) lookup(_ context.Context, id string) (models.FileTransfer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ft, ok := s.transfers[id]
	if !ok {
		return models.FileTransfer{}, fmt.Errorf("no file transfer %s", id)
	}
	return ft, nil
}

// partyID stands for a look-up in Altinn Register.
func partyID(_ context.Context, organisationNumber string) (string, error) {
	parties := map[string]string{"991825827": "50015641", "986252933": "50015642", "989271156": "50015643"}
	id, ok := parties[organisationNumber]
	if !ok {
		return "", fmt.Errorf("no party of organisation %s", models.Redact(organisationNumber))
	}
	return id, nil
}

func (s *service) initialize(c echo.Context) error {
	var request struct {
		ResourceID string   `json:"resourceId"`
		Sender     string   `json:"sender"`
		Recipients []string `json:"recipients"`
	}
	if err := c.Bind(&request); err != nil {
		return err
	}
	ft := models.FileTransfer{
		ID:         uuid.NewString(),
		ResourceID: request.ResourceID,
		Status:     models.FileTransferInitialized,
		Sender:     request.Sender,
	}
	for _, r := range request.Recipients {
		ft.Recipients = append(ft.Recipients, models.Recipient{Recipient: r, Status: models.RecipientInitialized})
	}
	s.mu.Lock()
	s.transfers[ft.ID] = ft
	s.mu.Unlock()
	return c.JSON(http.StatusOK, map[string]string{"fileTransferId": ft.ID})
}

func (s *service) upload(c echo.Context) error {
	if _, err := io.Copy(io.Discard, c.Request().Body); err != nil {
		return err
	}
	if err := s.change(c.Param("id"), func(ft *models.FileTransfer) { ft.Status = models.FileTransferPublished }); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"fileTransferId": c.Param("id")})
}

func (s *service) confirmDownload(c echo.Context) error {
	if err := s.change(c.Param("id"), func(ft *models.FileTransfer) {
		for i, r := range ft.Recipients {
			if r.Recipient == c.QueryParam("onBehalfOf") {
				ft.Recipients[i].Status = models.RecipientDownloadConfirmed
			}
		}
	}); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (s *service) change(id string, change func(*models.FileTransfer)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ft, ok := s.transfers[id]
	if !ok {
		return echo.NewHTTPError(http.StatusNotFound, "no such file transfer")
	}
	ft.Recipients = slices.Clone(ft.Recipients) // others may read the old ones
	change(&ft)
	s.transfers[id] = ft
	return nil
}

// purge is a job, which no request tells of: it publishes from core logic.
func (s *service) purge(ctx context.Context, id string) error {
	ft, err := s.lookup(ctx, id)
	if err != nil {
		return err
	}
	if ft.SenderPartyID, err = partyID(ctx, ft.Sender[len("0192:"):]); err != nil {
		return err
	}
	ft.Recipients = slices.Clone(ft.Recipients)
	for i, r := range ft.Recipients {
		if ft.Recipients[i].PartyID, err = partyID(ctx, r.Recipient[len("0192:"):]); err != nil {
			return err
		}
	}
	s.mu.Lock()
	delete(s.transfers, id)
	s.mu.Unlock()
	events := append(
		s.broker.Events(models.TypeBrokerFileNeverConfirmedDownloaded, ft),
		s.broker.Events(models.TypeBrokerFilePurged, ft)...,
	)
	return s.pub.Publish(ctx, events...)
}
