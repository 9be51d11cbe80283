/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The list of those that follow a copy, and the telling. An empty list is valid: all of these
 * functions do nothing then.
 */
#include "engine/observer.h"

#include "base/check.h"

void observers_add(struct observers *observers, struct observer *observer)
{
	CHECK(observers->n < OBSERVERS_MAX);
	observers->observer[observers->n++] = observer;
}

struct observer *observers_with_next(const struct observers *observers)
{
	for (size_t i = 0; i < observers->n; i++)
		if (observers->observer[i]->ops->next != NULL)
			return observers->observer[i];
	return NULL;
}

struct observer *observers_with_work(const struct observers *observers)
{
	for (size_t i = 0; i < observers->n; i++)
		if (observers->observer[i]->ops->work != NULL)
			return observers->observer[i];
	return NULL;
}

bool observers_keep_partial(const struct observers *observers)
{
	for (size_t i = 0; i < observers->n; i++)
		if (observers->observer[i]->ops->keeps_partial)
			return true;
	return false;
}

enum status observers_check(const struct observers *observers, struct error *err)
{
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < observers->n; i++) {
		struct observer *o = observers->observer[i];

		if (o->ops->check != NULL)
			st = o->ops->check(o, err);
	}
	return st;
}

void observers_begin(const struct observers *observers)
{
	for (size_t i = 0; i < observers->n; i++) {
		struct observer *o = observers->observer[i];

		if (o->ops->begin != NULL)
			o->ops->begin(o);
	}
}

void observers_piece(const struct observers *observers, uint64_t offset, const uint8_t *bytes,
		     uint64_t n, const uint64_t result[static OBSERVER_RESULTS])
{
	for (size_t i = 0; i < observers->n; i++) {
		struct observer *o = observers->observer[i];

		if (o->ops->piece != NULL)
			o->ops->piece(o, offset, bytes, n, result);
	}
}

enum status observers_approve(const struct observers *observers, struct error *err)
{
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < observers->n; i++) {
		struct observer *o = observers->observer[i];

		if (o->ops->approve != NULL)
			st = o->ops->approve(o, err);
	}
	return st;
}

void observers_lost(const struct observers *observers, const struct lost_range *range)
{
	for (size_t i = 0; i < observers->n; i++) {
		struct observer *o = observers->observer[i];

		if (o->ops->lost != NULL)
			o->ops->lost(o, range);
	}
}

void observers_read_back(const struct observers *observers, uint64_t end)
{
	for (size_t i = 0; i < observers->n; i++) {
		struct observer *o = observers->observer[i];

		if (o->ops->read_back != NULL)
			o->ops->read_back(o, end);
	}
}

enum status observers_written(const struct observers *observers, uint64_t end, struct image *target)
{
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < observers->n; i++) {
		struct observer *o = observers->observer[i];

		if (o->ops->written != NULL)
			st = o->ops->written(o, end, target);
	}
	return st;
}

void observers_doubted(const struct observers *observers, enum status st)
{
	for (size_t i = 0; i < observers->n; i++) {
		struct observer *o = observers->observer[i];

		if (o->ops->doubted != NULL)
			o->ops->doubted(o, st);
	}
}

void observers_failed(const struct observers *observers, enum status st, struct image *target)
{
	for (size_t i = 0; i < observers->n; i++) {
		struct observer *o = observers->observer[i];

		if (o->ops->failed != NULL)
			o->ops->failed(o, st, target);
	}
}

void observers_exposed(const struct observers *observers)
{
	for (size_t i = 0; i < observers->n; i++) {
		struct observer *o = observers->observer[i];

		if (o->ops->exposed != NULL)
			o->ops->exposed(o);
	}
}

void observers_gone(const struct observers *observers, uint64_t end)
{
	for (size_t i = 0; i < observers->n; i++) {
		struct observer *o = observers->observer[i];

		if (o->ops->gone != NULL)
			o->ops->gone(o, end);
	}
}
