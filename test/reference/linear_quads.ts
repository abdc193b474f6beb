/** The same product as linear: only the order in which memory is read differs. */
export { linear as linearQuads } from "./linear.ts";
