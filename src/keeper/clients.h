/* What clients.c, requests.c, answers.c and slots.c have of each other. */
#ifndef PRI_KEEPER_CLIENTS_H
#define PRI_KEEPER_CLIENTS_H

#include "keeper/keeper.h"

/* clients.c */
void pri_client_become(struct pri_keeper *k, struct pri_client *client,
                       enum pri_client_state state);
void pri_client_hang_up(struct pri_keeper *k, struct pri_client *client);
void pri_client_watch(struct pri_keeper *k, struct pri_client *client); /* the end of its process */

/* requests.c */
void pri_request_receive(struct pri_keeper *k, struct pri_client *client);
bool pri_request_is_early(const struct pri_keeper *k);
bool pri_request_wants_another(const struct pri_keeper *k, const struct pri_client *client);
bool pri_request_reconsider(struct pri_keeper *k);

/* answers.c: to one client */
void pri_answer_head(const struct pri_keeper *k, struct pri_answer *answer, enum pri_tell tell);
void pri_answer_send(struct pri_keeper *k, struct pri_client *client,
                     const struct pri_answer *answer, procref_waitable page);
void pri_answer_one_error(struct pri_keeper *k, struct pri_client *client,
                          const procref_error *error);
bool pri_answer_conflict(struct pri_keeper *k, struct pri_client *client,
                         const uint64_t running[PRI_PART_COUNT]);
void pri_answer_one_stays(struct pri_keeper *k, struct pri_client *client);

/* slots.c */
int32_t pri_slots_give(struct pri_keeper *k, const struct pri_process *process, int32_t told);

#endif
