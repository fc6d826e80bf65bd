/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Elements: a certificate's place and its properties; see object.h.
 *
 * The list of properties is guarded by the element's lock. Each change publishes or unlinks one
 * finished record with one pointer, so that a child forked in the middle finds a whole list.
 */
#include "cert/object.h"

#include <string.h>

struct osspi_element *osspi_element_new(struct osspi_certificate *certificate)
{
    struct osspi_element *element = osspi_alloc(sizeof(*element));

    if (!element)
        return NULL;
    atomic_init(&element->refs, 1);
    element->certificate = osspi_certificate_ref(certificate);
    return element;
}

struct osspi_element *osspi_element_ref(struct osspi_element *element)
{
    atomic_fetch_add_explicit(&element->refs, 1, memory_order_relaxed);
    return element;
}

static void list_free(struct osspi_property *list)
{
    while (list) {
        struct osspi_property *next = list->next;

        osspi_free(list);
        list = next;
    }
}

void osspi_element_unref(struct osspi_element *element)
{
    if (!element || atomic_fetch_sub_explicit(&element->refs, 1, memory_order_acq_rel) != 1)
        return;
    list_free(element->properties);
    osspi_certificate_unref(element->certificate);
    osspi_free(element);
}

void osspi_element_unrefp(struct osspi_element **element)
{
    osspi_element_unref(*element);
}

/* Where the pointer to the property is, or would be. */
static struct osspi_property **locate_locked(struct osspi_element *element, DWORD id)
{
    struct osspi_property **link = &element->properties;

    while (*link && (*link)->id != id)
        link = &(*link)->next;
    return link;
}

static struct osspi_property *property_new(DWORD id, const void *bytes, DWORD len)
{
    struct osspi_property *property = osspi_alloc(sizeof(*property) + len);

    if (!property)
        return NULL;
    property->id = id;
    property->len = len;
    if (len > 0)
        memcpy(property->bytes, bytes, len);
    return property;
}

bool osspi_element_set(struct osspi_element *element, DWORD id, const void *bytes, DWORD len)
{
    struct osspi_property *made = bytes ? property_new(id, bytes, len) : NULL;
    struct osspi_property *old;
    struct osspi_property **link;

    if (bytes && !made)
        return false;
    {
        OSSPI_LOCKED(&element->lock);
        link = locate_locked(element, id);
        old = *link;
        if (made)
            made->next = old ? old->next : NULL;
        *link = made ? made : (old ? old->next : NULL);
    }
    osspi_free(old);
    return true;
}

bool osspi_element_get(struct osspi_element *element, DWORD id, void *ret_bytes, DWORD size,
                       DWORD *ret_len)
{
    OSSPI_LOCKED(&element->lock);
    const struct osspi_property *property = *locate_locked(element, id);

    if (!property)
        return false;
    *ret_len = property->len;
    if (ret_bytes && property->len <= size && property->len > 0)
        memcpy(ret_bytes, property->bytes, property->len);
    return true;
}

/* Copies the list, so that never two elements are locked at a time. False: no memory. */
static bool list_copy(struct osspi_element *element, struct osspi_property **ret_list)
{
    struct osspi_property *list = NULL;

    OSSPI_LOCKED(&element->lock);
    for (const struct osspi_property *p = element->properties; p; p = p->next) {
        struct osspi_property *copy = property_new(p->id, p->bytes, p->len);

        if (!copy) {
            list_free(list);
            return false;
        }
        copy->next = list;
        list = copy;
    }
    *ret_list = list;
    return true;
}

bool osspi_element_inherit(struct osspi_element *to, struct osspi_element *from)
{
    struct osspi_property *list = NULL;

    if (!list_copy(from, &list))
        return false;
    OSSPI_LOCKED(&to->lock);
    while (list) {
        struct osspi_property *property = list;

        list = property->next;
        property->next = NULL;
        if (*locate_locked(to, property->id)) {
            osspi_free(property);
            continue;
        }
        property->next = to->properties;
        to->properties = property;
    }
    return true;
}
