/** An answer that cannot be the store's, or not all of it: a body cut short, a login page where an object should be. */
export class BrokenAnswerError extends Error {
  override readonly name = 'BrokenAnswerError';
}
