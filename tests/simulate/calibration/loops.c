/* Loops as a person writes them in order to learn how fast a memory is, and a mixed workload. */
#include <stddef.h>
#include <stdint.h>

typedef volatile uint32_t word;
typedef volatile uint16_t half;

uint32_t read_words(const word *from, uint32_t count);
uint32_t read_words_unrolled(const word *from, uint32_t count);
uint32_t read_halves(const half *from, uint32_t count);
void write_words(word *to, uint32_t count);
void write_words_unrolled(word *to, uint32_t count);
void write_halves(half *to, uint32_t count);
void copy_words(word *to, const word *from, uint32_t count);
void copy_words_unrolled(word *to, const word *from, uint32_t count);
void copy_bytes(volatile uint8_t *to, const volatile uint8_t *from, uint32_t count);
uint32_t work(uint32_t rounds);

uint32_t read_words(const word *from, uint32_t count) {
  uint32_t sum = 0;
  uint32_t index;
  for (index = 0; index < count; ++index) {
    sum += from[index];
  }
  return sum;
}

uint32_t read_words_unrolled(const word *from, uint32_t count) {
  uint32_t sum = 0;
  for (; count >= 8u; count -= 8u, from += 8) {
    sum += from[0];
    sum += from[1];
    sum += from[2];
    sum += from[3];
    sum += from[4];
    sum += from[5];
    sum += from[6];
    sum += from[7];
  }
  return sum;
}

uint32_t read_halves(const half *from, uint32_t count) {
  uint32_t sum = 0;
  uint32_t index;
  for (index = 0; index < count; ++index) {
    sum += from[index];
  }
  return sum;
}

void write_words(word *to, uint32_t count) {
  uint32_t index;
  for (index = 0; index < count; ++index) {
    to[index] = index;
  }
}

void write_words_unrolled(word *to, uint32_t count) {
  for (; count >= 8u; count -= 8u, to += 8) {
    to[0] = count;
    to[1] = count;
    to[2] = count;
    to[3] = count;
    to[4] = count;
    to[5] = count;
    to[6] = count;
    to[7] = count;
  }
}

void write_halves(half *to, uint32_t count) {
  uint32_t index;
  for (index = 0; index < count; ++index) {
    to[index] = (uint16_t)index;
  }
}

void copy_words(word *to, const word *from, uint32_t count) {
  uint32_t index;
  for (index = 0; index < count; ++index) {
    to[index] = from[index];
  }
}

void copy_words_unrolled(word *to, const word *from, uint32_t count) {
  for (; count >= 8u; count -= 8u, to += 8, from += 8) {
    to[0] = from[0];
    to[1] = from[1];
    to[2] = from[2];
    to[3] = from[3];
    to[4] = from[4];
    to[5] = from[5];
    to[6] = from[6];
    to[7] = from[7];
  }
}

void copy_bytes(volatile uint8_t *to, const volatile uint8_t *from, uint32_t count) {
  uint32_t index;
  for (index = 0; index < count; ++index) {
    to[index] = from[index];
  }
}

/* What processors are commonly compared with: linked lists, a matrix, a state machine, a check sum.
 * All data are in the RAM of the stack, the constants too. */
enum { NODES = 48, SIDE = 10, TEXT_BYTES = 96 };

typedef struct node {
  struct node *next;
  int16_t key;
  int16_t value;
} node;

typedef enum state { START, SIGN, INTEGER, FRACTION, EXPONENT, INVALID, STATES } state;

typedef struct workspace {
  node nodes[NODES];
  int16_t left[SIDE * SIDE];
  int16_t right[SIDE * SIDE];
  int32_t product[SIDE * SIDE];
  uint8_t text[TEXT_BYTES];
  uint32_t seen[STATES];
} workspace;

static workspace space;

static uint16_t check_byte(uint8_t byte, uint16_t sum) {
  uint32_t bit;
  for (bit = 0; bit < 8u; ++bit) {
    const uint32_t carries = (byte ^ sum) & 1u;
    byte = (uint8_t)(byte >> 1);
    sum = (uint16_t)(sum >> 1);
    if (carries) {
      sum ^= 0xA001u;
    }
  }
  return sum;
}

static uint16_t check_word(uint32_t word_value, uint16_t sum) {
  sum = check_byte((uint8_t)word_value, sum);
  return check_byte((uint8_t)(word_value >> 8), sum);
}

static void prepare(workspace *w) {
  static const char pieces[] = "12,-7.5,+3e4,x1,0.25,1e-3,9..,";
  uint32_t index;
  uint32_t seed = 7u;
  for (index = 0; index < NODES; ++index) {
    seed = seed * 1664525u + 1013904223u;
    w->nodes[index].next = index + 1u < NODES ? &w->nodes[index + 1u] : NULL;
    w->nodes[index].key = (int16_t)(seed >> 20);
    w->nodes[index].value = (int16_t)index;
  }
  for (index = 0; index < SIDE * SIDE; ++index) {
    w->left[index] = (int16_t)(index * 7u % 23u);
    w->right[index] = (int16_t)(index * 5u % 19u);
  }
  for (index = 0; index < TEXT_BYTES; ++index) {
    w->text[index] = (uint8_t)pieces[index % (sizeof pieces - 1u)];
  }
}

static node *reverse(node *list) {
  node *done = NULL;
  while (list != NULL) {
    node *next = list->next;
    list->next = done;
    done = list;
    list = next;
  }
  return done;
}

static node *find(node *list, int16_t key) {
  while (list != NULL && list->key != key) {
    list = list->next;
  }
  return list;
}

/* Merges runs of growing length, without recursion. */
static node *sort(node *list, int is_by_key) {
  uint32_t run = 1;
  for (;;) {
    node *rest = list;
    node *tail = NULL;
    uint32_t merges = 0;
    list = NULL;
    while (rest != NULL) {
      node *other = rest;
      uint32_t left = 0;
      uint32_t right = run;
      ++merges;
      while (left < run && other != NULL) {
        other = other->next;
        ++left;
      }
      while (left > 0u || (right > 0u && other != NULL)) {
        node *taken;
        int takes_other;
        if (left == 0u) {
          takes_other = 1;
        } else if (right == 0u || other == NULL) {
          takes_other = 0;
        } else {
          takes_other = is_by_key ? other->key < rest->key : other->value < rest->value;
        }
        if (takes_other) {
          taken = other;
          other = other->next;
          --right;
        } else {
          taken = rest;
          rest = rest->next;
          --left;
        }
        if (tail == NULL) {
          list = taken;
        } else {
          tail->next = taken;
        }
        tail = taken;
      }
      rest = other;
    }
    tail->next = NULL;
    if (merges <= 1u) {
      return list;
    }
    run *= 2u;
  }
}

static uint16_t work_on_lists(workspace *w, node **list, uint16_t sum) {
  uint32_t index;
  for (index = 0; index < 8u; ++index) {
    const node *found = find(*list, w->nodes[index * 5u].key);
    sum = check_word((uint32_t)(found != NULL ? found->value : 0), sum);
    *list = reverse(*list);
  }
  *list = sort(*list, 1);
  sum = check_word((uint32_t)(*list)->key, sum);
  *list = sort(*list, 0);
  return check_word((uint32_t)(*list)->value, sum);
}

static uint16_t work_on_matrix(workspace *w, uint16_t sum) {
  uint32_t row;
  uint32_t column;
  uint32_t index;
  int32_t total = 0;
  for (row = 0; row < SIDE; ++row) {
    for (column = 0; column < SIDE; ++column) {
      int32_t value = 0;
      for (index = 0; index < SIDE; ++index) {
        value += (int32_t)w->left[row * SIDE + index] * w->right[index * SIDE + column];
      }
      w->product[row * SIDE + column] = value;
    }
  }
  for (index = 0; index < SIDE * SIDE; ++index) {
    const int32_t bits = (w->product[index] >> 2) & 0x7F;
    total = total > 4000 ? total - w->product[index] : total + bits;
    w->left[index] = (int16_t)(w->left[index] + 1);
  }
  return check_word((uint32_t)total, sum);
}

static int is_digit(uint8_t letter) { return letter >= '0' && letter <= '9'; }

static state follow(state at, uint8_t letter) {
  switch (at) {
    case START:
      return is_digit(letter)                     ? INTEGER
             : letter == '+' || letter == '-'     ? SIGN
             : letter == '.'                      ? FRACTION
                                                  : INVALID;
    case SIGN:
      return is_digit(letter) ? INTEGER : letter == '.' ? FRACTION : INVALID;
    case INTEGER:
      return is_digit(letter) ? INTEGER : letter == '.' ? FRACTION : letter == 'e' ? EXPONENT : INVALID;
    case FRACTION:
      return is_digit(letter) ? FRACTION : letter == 'e' ? EXPONENT : INVALID;
    case EXPONENT:
      return is_digit(letter) || letter == '-' ? EXPONENT : INVALID;
    default:
      return INVALID;
  }
}

static uint16_t work_on_text(workspace *w, uint16_t sum) {
  state at = START;
  uint32_t index;
  for (index = 0; index < TEXT_BYTES; ++index) {
    const uint8_t letter = w->text[index];
    if (letter == ',') {
      ++w->seen[at];
      at = START;
    } else {
      at = follow(at, letter);
    }
  }
  for (index = 0; index < STATES; ++index) {
    sum = check_word(w->seen[index], sum);
  }
  return sum;
}

uint32_t work(uint32_t rounds) {
  node *list = &space.nodes[0];
  uint16_t sum = 0;
  prepare(&space);
  for (; rounds != 0u; --rounds) {
    sum = work_on_lists(&space, &list, sum);
    sum = work_on_matrix(&space, sum);
    sum = work_on_text(&space, sum);
  }
  return sum;
}
