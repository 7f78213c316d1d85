/** The signal that stops an asynchronous run of any verb. */
export interface NativeCancelToken {
  cancel(): void;
}
