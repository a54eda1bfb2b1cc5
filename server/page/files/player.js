/** Where in a recording the page is, and how it goes on: by the clock that draws the screen. */

/** @typedef {"auto" | "live" | number} Speed steps a second; live: always the newest */

const AUTO_SECONDS = 6; // in which what is still to be shown is caught up with
const SLOWEST_AUTO = 7; // steps a second

export class Player {
  /**
   * @param {import("./recording.js").Recording} recording
   * @param {Speed} speed
   * @param {() => void} onFrame something to draw: at most once a frame of the screen
   */
  constructor(recording, speed, onFrame) {
    this.recording = recording;
    this.speed = speed;
    this.onFrame = onFrame;
    this.playing = true;
    this.complete = false; // no more steps will come
    this.step = 0; // shown, by its number; recordings thin out, numbers stay
    this.fraction = 0; // of the next step
    this.last = 0; // time of the frame before, ms
    this.request = 0;
  }

  /** Index of the step that is shown; -1 before the first. */
  get index() {
    return this.recording.length && this.step ? this.recording.indexOf(this.step) : -1;
  }

  get atEnd() {
    return this.index === this.recording.length - 1;
  }

  /** Something is new: steps, their end, the speed. */
  wake() {
    if (!this.request) {
      this.last = performance.now();
      this.request = requestAnimationFrame((now) => this.#tick(now));
    }
  }

  /** Show one step and stay there. */
  seek(/** @type {number} */ index) {
    this.playing = false;
    this.#show(index);
    this.wake();
  }

  toggle() {
    this.playing = !this.playing;
    if (this.playing && this.atEnd && this.complete) this.step = 0;
    this.wake();
  }

  toEnd() {
    this.seek(this.recording.length - 1);
  }

  close() {
    cancelAnimationFrame(this.request);
    this.request = -1; // nothing wakes it any more
  }

  /** @param {number} now ms */
  #tick(now) {
    this.request = 0;
    if (this.playing) this.#advance((now - this.last) / 1000);
    this.onFrame();
    const more = this.playing && !(this.complete && this.atEnd);
    if (this.playing && !more) this.playing = false;
    if (more && !this.atEnd) {
      this.last = now;
      this.request = requestAnimationFrame((later) => this.#tick(later));
    }
    if (!this.playing) this.onFrame(); // it shows that it rests
  }

  /** @param {number} seconds */
  #advance(seconds) {
    const left = this.recording.length - 1 - this.index;
    if (left <= 0) return;
    if (this.speed === "live") {
      this.#show(this.recording.length - 1);
      return;
    }
    const auto = Math.max(SLOWEST_AUTO, left / AUTO_SECONDS);
    this.fraction += Math.min(seconds, 0.25) * (this.speed === "auto" ? auto : this.speed);
    const whole = this.index < 0 ? 1 : Math.floor(this.fraction);
    this.fraction -= Math.min(this.fraction, whole);
    if (whole) this.#show(this.index + Math.min(left, whole));
  }

  /** @param {number} index */
  #show(index) {
    const last = this.recording.length - 1;
    this.step = this.recording.steps[Math.max(0, Math.min(last, index))]?.step ?? 0;
  }
}
