/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The part that is the same for both libraries; see foreign.h.
 */
#include "property/foreign.h"

void foreign_open(struct foreign *foreign, const struct foreign_setup *setup)
{
    *foreign = (struct foreign){
        .library = setup->kind == FOREIGN_OPENSSL ? &foreign_openssl : &foreign_gnutls,
        .setup = *setup,
    };
    foreign->share = foreign->library->share_new(setup);
    foreign->library->begin(foreign);
}

static void end(struct foreign *foreign)
{
    foreign->library->end(foreign);
    peer_clear(&foreign->in);
    peer_clear(&foreign->out);
    peer_clear(&foreign->early);
    foreign->early_done = foreign->early_taken = false;
    foreign->alert = 0;
}

void foreign_again(struct foreign *foreign)
{
    end(foreign);
    foreign->library->begin(foreign);
}

void foreign_free(struct foreign *foreign)
{
    end(foreign);
    foreign->library->share_free(foreign->share);
    *foreign = (struct foreign){0};
}
