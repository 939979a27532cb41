//! Reads what strace wrote: which calls a program made, with which bytes, and which overlapped.
//!
//! What is not understood is an error and not left out: a call that was overlooked would make the
//! harness believe in a sync, or miss a write.

use std::collections::HashMap;

/// The system calls that are recorded: whatever changes files, or says which file is meant. Those
/// that the model does not know are here so that it can refuse them.
pub const CALLS: &str = "openat,open,creat,openat2,close,close_range,dup,dup2,dup3,fcntl,read,readv,\
    write,writev,pwrite64,pwritev,pwritev2,lseek,ftruncate,truncate,fallocate,rename,renameat,\
    renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,link,linkat,symlink,symlinkat,fsync,fdatasync,\
    sync,syncfs,sync_file_range,msync,mmap,copy_file_range,sendfile,splice,io_uring_setup,\
    io_submit,fork,vfork,execve";

/// A call, at the two moments that matter.
#[derive(Debug, PartialEq, Eq)]
pub enum Moment {
    /// It was entered; these are its arguments as far as they are known by then.
    Begun(u32, Call),
    /// It returned.
    Ended(u32, Call, i64),
}

/// A call and its arguments, as strace prints them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// A line that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("strace wrote a line that is not understood: {0}")]
pub struct Unreadable(String);

/// Reads a whole recording.
///
/// # Errors
/// The first line that is not understood.
pub fn parse(text: &str) -> Result<Vec<Moment>, Unreadable> {
    let mut moments = Vec::new();
    let mut unfinished: HashMap<u32, String> = HashMap::new();
    for line in text.lines() {
        let unreadable = || Unreadable(line.chars().take(200).collect());
        let (pid, rest) = line.split_once(' ').ok_or_else(unreadable)?;
        let pid = pid.parse().map_err(|_| unreadable())?;
        let rest = rest.trim_start();
        if rest.starts_with("+++") || rest.starts_with("---") {
            continue;
        }
        if let Some(begun) = rest.strip_suffix("<unfinished ...>") {
            moments.push(Moment::Begun(pid, call(begun).ok_or_else(unreadable)?));
            unfinished.insert(pid, begun.trim_end().to_owned());
            continue;
        }
        let whole = match rest.strip_prefix("<... ") {
            Some(resumed) => {
                let (_, end) = resumed.split_once(" resumed>").ok_or_else(unreadable)?;
                unfinished.remove(&pid).ok_or_else(unreadable)? + end
            }
            None => {
                moments.push(Moment::Begun(pid, call(rest).ok_or_else(unreadable)?));
                rest.to_owned()
            }
        };
        let (_, result) = whole.rsplit_once(" = ").ok_or_else(unreadable)?;
        // A process that ends does not return from `exit_group`.
        let value = result.split(' ').next().filter(|value| *value != "?");
        let Some(value) = value else { continue };
        let value = match value.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16)
                .map(u64::cast_signed)
                .map_err(|_| unreadable())?,
            None => value.parse().map_err(|_| unreadable())?,
        };
        moments.push(Moment::Ended(
            pid,
            call(&whole).ok_or_else(unreadable)?,
            value,
        ));
    }
    Ok(moments)
}

/// The call at the beginning of a line; its last argument may be cut off.
fn call(text: &str) -> Option<Call> {
    let (name, rest) = text.split_once('(')?;
    let (mut depth, mut quoted, mut from) = (0_usize, false, 0);
    let mut arguments = Vec::new();
    let mut end = rest.len();
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            // All strings are in hexadecimal: a quote is never inside one.
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'(' | b'[' | b'{' => depth += 1,
            b')' if depth == 0 => {
                end = at;
                break;
            }
            b')' | b']' | b'}' => depth = depth.checked_sub(1)?,
            b',' if depth == 0 => {
                arguments.push(rest[from..at].trim().to_owned());
                from = at + 1;
            }
            _ => {}
        }
    }
    arguments.push(rest[from..end].trim().to_owned());
    Some(Call {
        name: name.to_owned(),
        arguments,
    })
}

/// The bytes of every string in an argument, one after the other (a vector has several); none if
/// one was cut short.
pub fn bytes(argument: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for (number, part) in argument.split('"').enumerate() {
        if number % 2 == 0 {
            if part.starts_with("...") {
                return None;
            }
            continue;
        }
        for digits in part.split("\\x").skip(1) {
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_calls_are_taken_apart() {
        let text = "7 write(3, \"\\x61\\x62\", 2 <unfinished ...>\n8 fsync(4 <unfinished ...>\n\
                    7 <... write resumed>) = 2\n8 <... fsync resumed>) = 0\n8 +++ exited with 0 +++\n";
        let names: Vec<_> = parse(text)
            .unwrap()
            .into_iter()
            .map(|moment| match moment {
                Moment::Begun(pid, call) => (pid, call.name, None),
                Moment::Ended(pid, call, value) => (pid, call.name, Some(value)),
            })
            .collect();
        assert_eq!(
            names,
            [
                (7, "write".to_owned(), None),
                (8, "fsync".to_owned(), None),
                (7, "write".to_owned(), Some(2)),
                (8, "fsync".to_owned(), Some(0)),
            ]
        );
    }

    #[test]
    fn the_bytes_of_a_vector_are_joined() {
        let call = call(
            "writev(3, [{iov_base=\"\\x61\", iov_len=1}, {iov_base=\"\\x62\", iov_len=1}], 2) = 2",
        )
        .unwrap();
        assert_eq!(call.arguments.len(), 3);
        assert_eq!(bytes(&call.arguments[1]).unwrap(), b"ab");
    }

    #[test]
    fn bytes_that_were_cut_short_are_refused() {
        assert_eq!(bytes("\"\\x61\"..."), None);
    }
}
