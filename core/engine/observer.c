/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The list of those that follow a copy, and the telling. An empty list is valid: all of these
 * functions do nothing then.
 */
#include "engine/observer.h"

#include "base/check.h"

#define FOR_EACH(o, observers, member) \
	for (size_t i_ = 0; i_ < (observers)->n; i_++) \
		for (struct observer *o = (observers)->observer[i_]; \
		     o != NULL && o->ops->member != NULL; o = NULL)

void observers_add(struct observers *observers, struct observer *observer)
{
	CHECK(observers->n < OBSERVERS_MAX);
	observers->observer[observers->n++] = observer;
}

struct observer *observers_with_next(const struct observers *observers)
{
	FOR_EACH(o, observers, next)
	return o;
	return NULL;
}

struct observer *observers_with_work(const struct observers *observers)
{
	FOR_EACH(o, observers, work)
	return o;
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

	FOR_EACH(o, observers, check)
	if (st == ST_OK)
		st = o->ops->check(o, err);
	return st;
}

void observers_begin(const struct observers *observers)
{
	FOR_EACH(o, observers, begin)
	o->ops->begin(o);
}

void observers_piece(const struct observers *observers, uint64_t offset, const uint8_t *bytes,
		     uint64_t n, const uint64_t result[static OBSERVER_RESULTS])
{
	FOR_EACH(o, observers, piece)
	o->ops->piece(o, offset, bytes, n, result);
}

void observers_lost(const struct observers *observers, const struct lost_range *range)
{
	FOR_EACH(o, observers, lost)
	o->ops->lost(o, range);
}

enum status observers_written(const struct observers *observers, uint64_t end, struct image *target)
{
	enum status st = ST_OK;

	FOR_EACH(o, observers, written)
	if (st == ST_OK)
		st = o->ops->written(o, end, target);
	return st;
}

void observers_doubted(const struct observers *observers, enum status st)
{
	FOR_EACH(o, observers, doubted)
	o->ops->doubted(o, st);
}

void observers_failed(const struct observers *observers, enum status st, struct image *target)
{
	FOR_EACH(o, observers, failed)
	o->ops->failed(o, st, target);
}

void observers_exposed(const struct observers *observers)
{
	FOR_EACH(o, observers, exposed)
	o->ops->exposed(o);
}

void observers_gone(const struct observers *observers, uint64_t end)
{
	FOR_EACH(o, observers, gone)
	o->ops->gone(o, end);
}
