#include "stream.h"

#include <stdlib.h>

static void time_batch(ps_timing *t, const uint64_t *events, uint32_t count) {
  uint32_t index;
  for (index = 0; index < count; ++index) {
    const uint64_t event = events[index];
    if (event >> 63 != 0u) {
      ps_time_access(t, event);
    } else {
      ps_timing_block(t, (uint32_t)event, event >> 32);
    }
  }
}

static void *run(void *argument) {
  ps_stream *s = argument;
  pthread_mutex_lock(&s->lock);
  for (;;) {
    uint32_t batch;
    while (s->done == s->sent && !s->is_closing) {
      pthread_cond_wait(&s->changed, &s->lock);
    }
    if (s->done == s->sent) {
      break;
    }
    batch = (uint32_t)(s->done % PS_BATCH_COUNT);
    pthread_mutex_unlock(&s->lock);
    time_batch(s->timing, s->events + (size_t)batch * PS_BATCH_EVENTS, s->sizes[batch]);
    pthread_mutex_lock(&s->lock);
    ++s->done;
    pthread_cond_broadcast(&s->changed);
  }
  pthread_mutex_unlock(&s->lock);
  return NULL;
}

ps_stream *ps_stream_open(ps_timing *timing) {
  ps_stream *s = calloc(1, sizeof *s);
  if (s == NULL) {
    return NULL;
  }
  s->timing = timing;
  s->events = malloc(sizeof *s->events * PS_BATCH_COUNT * PS_BATCH_EVENTS);
  s->filling = s->events;
  pthread_mutex_init(&s->lock, NULL);
  pthread_cond_init(&s->changed, NULL);
  s->has_thread = s->events != NULL && pthread_create(&s->thread, NULL, run, s) == 0;
  if (!s->has_thread) {
    ps_stream_close(s);
    return NULL;
  }
  return s;
}

void ps_stream_close(ps_stream *s) {
  if (s == NULL) {
    return;
  }
  if (s->has_thread) {
    pthread_mutex_lock(&s->lock);
    s->is_closing = 1;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
  }
  pthread_cond_destroy(&s->changed);
  pthread_mutex_destroy(&s->lock);
  free(s->events);
  free(s);
}

static void wait_until_done(ps_stream *s, uint64_t batches_left) {
  while (s->sent - s->done > batches_left) {
    pthread_cond_wait(&s->changed, &s->lock);
  }
}

void ps_stream_flush(ps_stream *s) {
  if (s->filled == 0u) {
    return;
  }
  pthread_mutex_lock(&s->lock);
  s->sizes[s->sent % PS_BATCH_COUNT] = s->filled;
  ++s->sent;
  pthread_cond_broadcast(&s->changed);
  wait_until_done(s, PS_BATCH_COUNT - 1);
  pthread_mutex_unlock(&s->lock);
  s->filled = 0;
  s->filling = s->events + (size_t)(s->sent % PS_BATCH_COUNT) * PS_BATCH_EVENTS;
}

void ps_stream_drain(ps_stream *s) {
  ps_stream_flush(s);
  pthread_mutex_lock(&s->lock);
  wait_until_done(s, 0);
  pthread_mutex_unlock(&s->lock);
}

void ps_stream_in_step(ps_stream *s, int count) {
  time_batch(s->timing, s->filling + s->filled, 1u + (uint32_t)count);
  s->in_step = s->timing->next_event != UINT64_MAX;
}

/* The table of blocks may move, so that nobody may be reading it. */
uint32_t ps_stream_describe(ps_stream *s, uint32_t address, uint32_t size_bytes) {
  ps_stream_drain(s);
  return ps_timing_describe(s->timing, address, size_bytes);
}

void ps_stream_access_register(ps_stream *s, uint32_t address, uint32_t size_bytes, int is_write,
                               uint32_t value) {
  ps_stream_drain(s);
  ps_timing_access(s->timing, address, size_bytes, is_write, value);
  s->in_step = s->timing->next_event != UINT64_MAX;
}
