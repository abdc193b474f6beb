import { useRef } from "preact/hooks";

interface PickButtonProps {
  label: string;
  disabled: boolean;
  /** What may be picked: all files of a folder, or one file with one of these endings. */
  what: "folder" | { endings: string };
  /** Name of the input behind the button, for tests; the label unless told. */
  name?: string;
  take(files: File[]): void;
}

/** A button that opens the browser's dialog for files. */
export function PickButton({ label, disabled, what, name = label, take }: PickButtonProps) {
  const input = useRef<HTMLInputElement>(null);
  const taken = (element: HTMLInputElement) => {
    const files = [...(element.files ?? [])];
    element.value = ""; // the same file can be picked again
    if (files.length > 0) take(files);
  };
  return (
    <>
      <button type="button" disabled={disabled} onClick={() => input.current?.click()}>
        {label}
      </button>
      <input
        ref={input}
        type="file"
        hidden
        {...(what === "folder" ? { webkitdirectory: true } : { accept: what.endings })}
        aria-label={name}
        onChange={(event) => taken(event.currentTarget)}
      />
    </>
  );
}
