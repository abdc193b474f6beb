/** The same product as linear_backward: only the order in which memory is read differs. */
export { linearBackward as linearBackwardTiled } from "./linear_backward.ts";
