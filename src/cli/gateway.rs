//! `gateway`: what to install, as text, as JSON or as files.

use std::{fs::OpenOptions, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use super::{
    Exit, Output,
    args::{GatewayCommand, GatewayRender},
    connect, key_files, render,
};
use crate::{
    model::PinType,
    service::{
        Candidate, GatewayOrder, GatewayView, Reply, Request, ServiceError, Surroundings,
        gateway_list, gateway_view,
    },
};

pub(super) async fn run(
    output: Output,
    config: &Path,
    command: GatewayCommand,
) -> Result<Exit, ServiceError> {
    let wanted = match command {
        GatewayCommand::List => {
            let list = gateway_list();
            output.print(&list, || render::gateway_list(&list))?;
            return Ok(Exit::Done);
        }
        GatewayCommand::Render(wanted) => wanted,
    };
    let view = match &wanted.new {
        Some(new) => from_files(&wanted, new)?,
        None => from_store(output, config, &wanted).await?,
    };
    let text = render::gateway(&view);
    if let Some(directory) = &wanted.into {
        write(directory, "sheet.txt", &text)?;
        for file in &view.files {
            write(directory, &file.name, &file.content)?;
        }
        output.terminal.progress(&format!(
            "sheet.txt and {} files are in {}",
            view.files.len(),
            directory.display()
        ));
    }
    output.print(&Reply::Gateway(Box::new(view)), || text)?;
    Ok(Exit::Done)
}

async fn from_store(
    output: Output,
    config: &Path,
    wanted: &GatewayRender,
) -> Result<GatewayView, ServiceError> {
    // The definition of the arguments lets nothing else through.
    let (Some(identity), Some(destination)) = (&wanted.identity, &wanted.destination) else {
        return Err(ServiceError::failed(
            "an identity and its destination are wanted",
        ));
    };
    let request = Request::GatewayRender(GatewayOrder {
        identity: identity.clone(),
        destination: destination.clone(),
        product: wanted.product,
        pin: wanted.pin.map(PinType::from),
        oauth: wanted.oauth,
        alone: wanted.alone,
    });
    match connect::ask(output.terminal, config, request).await? {
        Reply::Gateway(view) => Ok(*view),
        _ => Err(ServiceError::failed(
            "the daemon answers something else: it is of another version",
        )),
    }
}

fn from_files(wanted: &GatewayRender, new: &Path) -> Result<GatewayView, ServiceError> {
    let (Some(product), Some(host)) = (wanted.product, &wanted.host) else {
        return Err(ServiceError::failed("a product and a host are wanted"));
    };
    let around = Surroundings {
        product,
        pin: wanted.pin.map_or(PinType::Certificate, PinType::from),
        host: host.clone(),
        oauth: wanted.oauth,
    };
    let candidate = |path: &Path| {
        Candidate::from_pem(&key_files::bytes(path)?).map_err(|mut error| {
            error.message = format!("{}: {}", path.display(), error.message);
            error
        })
    };
    let present = wanted.present.as_deref().map(candidate).transpose()?;
    gateway_view(&around, &candidate(new)?, present.as_ref())
}

/// None of it is secret. What lies there already is never replaced, and a link is not followed: half an old pack
/// beside half a new one would be worse than an error.
fn write(directory: &Path, name: &str, content: &str) -> Result<(), ServiceError> {
    let path = directory.join(name);
    let failed = |error: std::io::Error| {
        ServiceError::failed(format!("cannot write {}: {error}", path.display()))
            .hint("--into wants an empty directory that exists and that we may write to")
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(&path)
        .map_err(failed)?;
    file.write_all(content.as_bytes()).map_err(failed)
}
