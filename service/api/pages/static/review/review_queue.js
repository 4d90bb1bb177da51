// `/v1/reviews` ──▶ the item to look at next. Each is leased, so that nobody else is given it, and shown once.

import { ask, Problem } from "../shared/api_client.js";
import { keptImage, relative } from "../shared/kept_image.js";
import { withKey } from "../shared/key_form.js";

const AHEAD = 5; // items leased beyond the one on screen
const PREPARED = 2; // of them, those whose picture and explanation are there before they are shown
const MOST = 100; // of one answer of the API
const MOST_SKIPPED = 80; // so that there is room for others; the oldest ones come again as if they were new

/** Items that wait for this reviewer; knows nothing of the page. */
export class ReviewQueue {
  #ready = []; // leased, not shown yet
  #shown = new Map(); // by id: shown and not answered, such as the current and the skipped ones
  #skipped = [];
  #answered = new Set();
  #filling = null;
  waiting = 0;

  /** @param {{reviewer: string, head: string}} whose items; an empty `head` means all */
  constructor({ reviewer, head }) {
    this.reviewer = reviewer;
    this.head = head;
  }

  get skipped() {
    return this.#skipped.length;
  }

  /**
   * The next item; null if none waits. A lease that has run out while the item waited is asked for anew.
   * @throws {Problem} the API did not answer
   */
  async next() {
    this.#ready = this.#ready.filter(isLeased);
    if (this.#ready.length === 0) await this.fill();
    const item = this.#ready.shift() ?? null;
    if (item) this.#shown.set(item.id, item);
    [item, ...this.#ready.slice(0, PREPARED)].forEach((one) => one && prepare(one));
    if (this.#ready.length < AHEAD / 2) this.fill().catch(() => {}); // asked again, and told of, when it is needed
    return item;
  }

  /** Asks for more items; leases of those that are here last longer. */
  fill() {
    this.#filling ??= withKey(() => ask(this.#path())).then((answer) => this.#take(answer)).finally(() => (this.#filling = null));
    return this.#filling;
  }

  #path() {
    const query = new URLSearchParams({ limit: Math.min(MOST, AHEAD + this.#shown.size), reviewer: this.reviewer });
    if (this.head) query.set("head", this.head);
    return `v1/reviews?${query}`;
  }

  #take({ document, time }) {
    this.waiting = document.waiting;
    const known = new Map([...this.#shown, ...this.#ready.map((item) => [item.id, item])]);
    for (const review of document.reviews) {
      const item = known.get(review.id) ?? review;
      // by the clock of this machine, whatever it shows
      item.leasedUntil = Date.now() + Date.parse(review.leased_until) - time;
      if (item === review && !this.#answered.has(review.id)) this.#ready.push(item);
    }
  }

  /** The item was answered, or is gone. */
  settle(item) {
    this.#shown.delete(item.id);
    this.#answered.add(item.id);
    this.waiting = Math.max(0, this.waiting - 1);
  }

  /** The item's answer was taken back: it is on screen again. */
  reopen(item) {
    this.#answered.delete(item.id);
    this.#shown.set(item.id, item);
    this.waiting += 1;
  }

  skip(item) {
    this.#skipped.push(item);
    if (this.#skipped.length > MOST_SKIPPED) this.#shown.delete(this.#skipped.shift().id);
  }

  /** The item is the next one. */
  putBack(item) {
    this.#ready.unshift(item);
  }

  /** Items that were skipped come again. */
  recallSkipped() {
    this.#ready.push(...this.#skipped.splice(0));
  }
}

/** Whether nobody else is given the item now. */
export const isLeased = (item) => Date.now() < item.leasedUntil;

/** Asks for an item's picture and explanation; both become promises of a value or a `Problem`. */
function prepare(item) {
  const kept = item.image !== null;
  item.picture ??= kept ? keptImage(item.image).catch(problemOf) : Promise.resolve(null);
  item.why ??= kept ? ask(relative(`v1/reviews/${item.id}/explanation`)).then(({ document }) => document, problemOf) : Promise.resolve(null);
}

function problemOf(error) {
  if (error instanceof Problem) return error;
  throw error;
}
