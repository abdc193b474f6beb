/** The same product as linear_backward: only the order in which memory is read differs. */
export { linearBackward as linearBackwardQuads } from "./linear_backward.ts";
